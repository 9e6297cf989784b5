//! The forge: a real Git host that holds the example repository and sends signed webhooks.
