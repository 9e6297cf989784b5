//! Federation: whose JSON web tokens are exchanged for a token of the workspace. A policy names the issuer with its keys,
//! the audience and the subject, as Databricks' federation policies do.

use crate::state::{Refusal, lock};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::Jwk, jwk::JwkSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Mutex, time::Duration};

/// Policies of one workspace.
const MAX_POLICIES: usize = 100;
/// What the service takes.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];
/// Seconds that clocks may differ.
const LEEWAY: u64 = 5;

/// One policy, in the documented shape.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// The service principal that it is for. Without one it is for everybody: the subject's name is the caller's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    oidc_policy: Oidc,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Oidc {
    issuer: String,
    audiences: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(default = "sub")]
    subject_claim: String,
    /// The issuer's public keys, a JSON web key set as text.
    jwks_json: String,
}

fn sub() -> String {
    "sub".to_owned()
}

impl Oidc {
    fn keys(&self) -> Result<JwkSet, String> {
        serde_json::from_str(&self.jwks_json).map_err(|error| format!("jwks_json is no key set: {error}"))
    }
}

/// Someone who has proven who it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) name: String,
    /// How long the proof itself still holds; no token may outlive it.
    pub(crate) left: Duration,
}

/// The policies of one workspace.
#[derive(Default)]
pub(crate) struct Federation(Mutex<Vec<Policy>>);

impl Federation {
    /// Replaces the policies; `text` is a JSON list.
    pub(crate) fn replace(&self, text: &[u8]) -> Result<(), Refusal> {
        let policies: Vec<Policy> =
            serde_json::from_slice(text).map_err(|error| Refusal::Malformed(error.to_string()))?;
        if policies.len() > MAX_POLICIES {
            return Err(Refusal::QuotaExceeded(format!("There are at most {MAX_POLICIES} federation policies.")));
        }
        for Policy { client_id, oidc_policy } in &policies {
            oidc_policy.keys().map_err(Refusal::Invalid)?;
            if oidc_policy.audiences.is_empty() {
                return Err(Refusal::Invalid("A federation policy needs audiences.".to_owned()));
            }
            // As for the real service: one principal's policy names its subject, one for everybody doesn't.
            if client_id.is_some() != oidc_policy.subject.is_some() {
                return Err(Refusal::Invalid("Give a subject with a client_id, and none without.".to_owned()));
            }
        }
        *lock(&self.0) = policies;
        Ok(())
    }

    /// The policies in force.
    pub(crate) fn list(&self) -> Vec<Policy> {
        lock(&self.0).clone()
    }

    /// Checks a token for the service principal `client_id`, or for everybody. The error says what is wrong with it,
    /// never what it is.
    pub(crate) fn check(&self, client_id: Option<&str>, token: &str) -> Result<Proof, String> {
        let policies = lock(&self.0);
        let mut reason = "no federation policy is for this client".to_owned();
        for policy in policies.iter().filter(|policy| policy.client_id.as_deref() == client_id) {
            match policy.check(token) {
                Ok(proof) => return Ok(proof),
                Err(error) => reason = error,
            }
        }
        Err(reason)
    }
}

impl Policy {
    fn check(&self, token: &str) -> Result<Proof, String> {
        let header = decode_header(token).map_err(|error| format!("the subject token is no JWT: {error}"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(format!("the subject token is signed with {:?}; RS256 or ES256 is needed", header.alg));
        }
        let mut rules = Validation::new(header.alg);
        rules.leeway = LEEWAY;
        rules.validate_nbf = true;
        rules.set_audience(&self.oidc_policy.audiences);
        rules.set_issuer(&[&self.oidc_policy.issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        let claims = self.verify(token, header.kid.as_deref(), &rules)?;
        let claim = &self.oidc_policy.subject_claim;
        let subject = claims[claim].as_str().ok_or_else(|| format!("the subject token has no {claim}"))?;
        if self.oidc_policy.subject.as_ref().is_some_and(|wanted| wanted != subject) {
            return Err(format!("the subject is '{subject}', which is not that of the federation policy"));
        }
        let now = jiff::Timestamp::now().as_second();
        let left = claims["exp"].as_i64().unwrap_or(now).saturating_sub(now);
        Ok(Proof {
            name: self.client_id.clone().unwrap_or_else(|| subject.to_owned()),
            left: Duration::from_secs(u64::try_from(left).unwrap_or_default()),
        })
    }

    /// The claims, if one of the issuer's keys has signed them.
    fn verify(&self, token: &str, kid: Option<&str>, rules: &Validation) -> Result<Value, String> {
        let keys = self.oidc_policy.keys()?;
        let named = |key: &&Jwk| kid.is_none() || key.common.key_id.as_deref() == kid;
        let mut reason = "its key is not among those of the issuer".to_owned();
        for key in keys.keys.iter().filter(named) {
            let key = DecodingKey::from_jwk(key).map_err(|error| error.to_string());
            match key.and_then(|key| decode(token, &key, rules).map_err(|error| error.to_string())) {
                Ok(data) => return Ok(data.claims),
                Err(error) => reason = error,
            }
        }
        Err(format!("the subject token is not valid: {reason}"))
    }
}
