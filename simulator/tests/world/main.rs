//! Tests of the world itself, with apps made for the purpose.

mod contract;
mod determinism;
mod lifecycle;
mod mail;
mod streams;
mod toys;
mod turns;
