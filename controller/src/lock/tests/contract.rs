//! The API server of these tests, shown what the real one is shown.

use std::cell::RefCell;

use futures::FutureExt;
use http::{Method, Uri};
use serde_json::{Value, json};

use super::fake::State;
use crate::contract::kubernetes::{self, Answered, Leases, Named};

#[derive(Default)]
struct Fake(RefCell<State>);

impl Fake {
    fn send(&self, method: &Method, name: &str, body: &Value) -> Answered {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/brickline/leases/{name}");
        let uri: Uri = path.trim_end_matches('/').parse().unwrap();
        match self.0.borrow_mut().answer(method, &uri, body.to_string().as_bytes()) {
            (200..300, object) => Ok(object),
            (code, _) => Err(code),
        }
    }
}

fn lease(name: &str, holder: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"holderIdentity": holder}})
}

impl Named for Fake {
    async fn create(&self, name: &str) -> Answered {
        self.send(&Method::POST, "", &lease(name, "one"))
    }

    async fn get(&self, name: &str) -> Answered {
        self.send(&Method::GET, name, &Value::Null)
    }

    async fn delete(&self, name: &str) -> Answered {
        self.send(&Method::DELETE, name, &json!({}))
    }
}

impl Leases for Fake {
    async fn replace(&self, read: &Value, holder: &str) -> Answered {
        let name = read["metadata"]["name"].as_str().unwrap();
        let mut new = lease(name, holder);
        for field in ["uid", "resourceVersion"] {
            new["metadata"][field] = read["metadata"][field].clone();
        }
        self.send(&Method::PUT, name, &new)
    }

    async fn delete_read(&self, read: &Value) -> Answered {
        let metadata = &read["metadata"];
        let unchanged = json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]});
        self.send(&Method::DELETE, metadata["name"].as_str().unwrap(), &json!({"preconditions": unchanged}))
    }
}

#[test]
fn leases_keep_the_contract_of_the_real_ones() {
    for case in kubernetes::NAMED {
        let checked = kubernetes::check_named(case, "it", &Fake::default()).now_or_never();
        assert_eq!(checked, Some(Ok(())), "{case}");
    }
    for case in kubernetes::LEASES {
        let checked = kubernetes::check_lease(case, "it", &Fake::default()).now_or_never();
        assert_eq!(checked, Some(Ok(())), "{case}");
    }
}
