//! A backend's reply to a batch, cut up again into the results of its requests.

use ringyard_protocol::http1::{Response, Status};
use ringyard_protocol::json::{self, ItemKind, ItemSpan};

/// The member that holds the results.
const MEMBER: &str = "results";

/// Finds the results in a reply: as many as the batch had sequences, or why not.
pub(super) fn scan_results(
    reply: &Response<'_>,
    sequences: u32,
    items: &mut Vec<ItemSpan>,
) -> Result<(), String> {
    if reply.status != Status::OK.code() {
        return Err(format!("backend answered {}", reply.status));
    }
    let found = json::scan_items(reply.body, MEMBER, ItemKind::Any, sequences as usize, items)
        .map_err(|error| format!("backend sent a reply that cannot be read: {error}"))?;
    if found.items != sequences as usize {
        return Err(format!("backend sent {} results for {sequences} sequences", found.items));
    }
    Ok(())
}

/// Appends the raw texts at `items` of `body`, with commas between.
pub(super) fn write_items(body: &[u8], items: &[ItemSpan], out: &mut Vec<u8>) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&body[item.start as usize..item.end as usize]);
    }
}
