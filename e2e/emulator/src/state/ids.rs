//! Identifiers of runs, objects and handles: random, positive and beyond 2^53, so that a client that keeps them in a
//! double is found out.

use rand::RngExt;

/// A new identifier.
pub(crate) fn random() -> i64 {
    rand::rng().random_range((1_i64 << 54)..(1_i64 << 62)) | 1
}

/// The identifier of a new Spark context: it changes with every start of a cluster.
pub(crate) fn spark_context() -> i64 {
    random()
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_do_not_survive_a_double() {
        for _ in 0..1000 {
            let id = super::random();
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the loss is the point")]
            let through = id as f64 as i64;
            assert_ne!(through, id);
        }
    }
}
