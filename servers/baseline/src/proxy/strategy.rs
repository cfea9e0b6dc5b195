//! `GET` and `POST /strategy`: which strategy is in force, and which is to be.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use ringyard_scheduler::StrategyKind;
use serde_json::{Value, json};

use super::Proxy;
use crate::answer::Invalid;
use crate::body;

/// The query parameter that names the new strategy.
const PARAMETER: &str = "new_strategy";

/// `GET /strategy`.
pub(super) async fn tell(State(proxy): State<Arc<Proxy>>) -> Response {
    let active = proxy.queue.strategy(None).name();
    let names: Vec<_> = StrategyKind::ALL.iter().map(|kind| kind.name()).collect();
    Json(json!({ "active_strategy": active, "strategies": names })).into_response()
}

/// `POST /strategy`.
pub(super) async fn change(
    State(proxy): State<Arc<Proxy>>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Response {
    let body = match body::read(body, proxy.limits).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    match requested(query.as_deref().unwrap_or_default(), &body) {
        Ok(kind) => {
            let active = proxy.queue.strategy(Some(kind)).name();
            Json(json!({ "active_strategy": active })).into_response()
        }
        Err(invalid) => invalid.into_response(),
    }
}

/// The strategy that a query or, without one, a body names.
fn requested(query: &str, body: &[u8]) -> Result<StrategyKind, Invalid> {
    let in_query = query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name == PARAMETER).then(|| value.to_owned())
    });
    let (name, location) = match in_query {
        Some(name) => (name, json!(["query", PARAMETER])),
        None if body.trim_ascii().is_empty() => {
            return Err(Invalid::new("missing", json!(["query", PARAMETER]), "Field required"));
        }
        None => match serde_json::from_slice(body) {
            Ok(Value::String(name)) => (name, json!(["body"])),
            _ => {
                let message = "Input should be a valid string";
                return Err(Invalid::new("string_type", json!(["body"]), message));
            }
        },
    };
    name.parse().map_err(|_unknown| {
        let names: Vec<_> =
            StrategyKind::ALL.iter().map(|kind| format!("'{}'", kind.name())).collect();
        let message = format!("Input should be one of {}", names.join(", "));
        Invalid::new("enum", location, &message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_is_named_in_the_query_or_in_the_body() {
        assert_eq!(requested("a=b&new_strategy=fair", b""), Ok(StrategyKind::Fair));
        assert_eq!(requested("", b" \"sjf\" "), Ok(StrategyKind::Sjf));
        for (query, body, kind) in [
            ("", "", "missing"),
            ("", "[1]", "string_type"),
            ("", "\"no\"", "enum"),
            ("new_strategy=no", "\"sjf\"", "enum"),
        ] {
            assert_eq!(requested(query, body.as_bytes()).unwrap_err().kind, kind, "{query} {body}");
        }
    }
}
