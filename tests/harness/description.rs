//! Whether answers are as a server's own OpenAPI description says.

use std::net::SocketAddr;

use crate::client::{Answer, Client, get};

/// A server's description of itself.
#[derive(Debug)]
pub struct Description {
    document: serde_json::Value,
}

impl Description {
    /// Asks the server at `address`.
    ///
    /// # Panics
    ///
    /// If it does not answer with JSON.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        Self { document: Client::connect(address).ask(&get("/openapi.json")).json() }
    }

    /// Checks that an answer to a request for `path` is described: its status, and that a JSON body has the
    /// members that its schema requires.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn check(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.split('?').next().unwrap_or_default();
        let Some(operations) = self.document["paths"].get(path) else {
            assert_eq!(answer.status, 404, "{path} is not described");
            return;
        };
        let Some(operation) = operations.get(method.to_ascii_lowercase()) else {
            assert_eq!(answer.status, 405, "{method} {path} is not described");
            return;
        };
        let response = self.follow(&operation["responses"][answer.status.to_string()]);
        assert!(!response.is_null(), "{method} {path}: {} is not described", answer.status);
        let content = response["content"].as_object().expect("every answer has content");
        let kind = answer.header("content-type").expect("every answer has a type");
        let (_, content) = content
            .iter()
            .find(|(name, _)| kind.starts_with(name.as_str()))
            .unwrap_or_else(|| panic!("{method} {path}: {kind} is not described"));
        if kind == "application/json" {
            let body = answer.json();
            let required = self.follow(&content["schema"])["required"].clone();
            for name in required.as_array().into_iter().flatten() {
                let name = name.as_str().expect("a member's name");
                assert!(body.get(name).is_some(), "{method} {path}: no {name} in {body}");
            }
        }
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let required = header["required"] != false;
            let missing = required && answer.header(name).is_none();
            assert!(!missing, "{method} {path}: no header {name}");
        }
    }

    fn follow<'a>(&'a self, value: &'a serde_json::Value) -> &'a serde_json::Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("a reference into the document");
                self.document.pointer(pointer).expect("the reference leads somewhere")
            }
            None => value,
        }
    }
}
