//! Every adversarial system of the books, in tiny shapes: each is written in `gan!` as its paper writes it, builds, computes the
//! objectives that an independent calculation gives, differentiates correctly, and moves only what its players update.
//! [`harness`] says how; [docs/systems.md](../../docs/systems.md) lists the systems with their sources.

#![cfg(feature = "cpu")]

#[path = "../support/mod.rs"]
mod support;

mod harness;

mod s05_gan;
mod s23_wgan_gp;
mod s41_seq2seq;
mod s42_rl_chatbot;
mod s43_tree_search;
mod s44_seqgan;
mod s46_word_wgan;
mod s48_styles;
mod s49_summary;
