//! What a report looks like: for the terminal and for files.

pub mod curve;
pub mod files;
pub mod html;
pub mod table;
