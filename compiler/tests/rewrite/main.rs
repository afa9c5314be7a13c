//! Rewriting keeps the meaning of programs and never makes them cost more.

mod batching;
mod graph_rules;
mod harness;
mod random;
mod search_rules;
mod stabilisation;
mod turns;
