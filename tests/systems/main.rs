//! Every adversarial system of the books, in tiny shapes: each is written in `gan!` as its paper writes it, builds, computes the
//! objectives that an independent calculation gives, differentiates correctly, and moves only what its players update.
//! [`harness`] says how; [docs/systems.md](../../docs/systems.md) lists the systems with their sources.

#![cfg(feature = "cpu")]

#[path = "../support/mod.rs"]
mod support;

mod harness;
mod table;

mod s01_vae;
mod s02_cvae;
mod s03_generator;
mod s04_energy;
mod s05_gan;
mod s06_nonsaturating;
mod s07_cgan;
mod s08_text2image;
mod s09_stackgan;
mod s10_pix2pix;
mod s11_patchgan;
mod s12_segan;
mod s13_video;
mod s14_direct_transfer;
mod s15_embedding_consistency;
mod s16_cycle_gan;
mod s17_stargan;
mod s18a_shared_layers;
mod s18b_domain_adversary;
mod s18c_cycle;
mod s18d_semantic;
mod s19_voice_conversion;
mod s20_f_gan;
mod s21_lsgan;
mod s22_wgan;
mod s23_wgan_gp;
mod s24_spectral_norm;
mod s25_ebgan;
mod s26_loss_sensitive;
mod s27_infogan;
mod s28_vae_gan;
mod s29_vae_gan_three_classes;
mod s30_bigan;
mod s31_triple_gan;
mod s32_dann;
mod s33_speaker_invariant;
mod s34_inversion;
mod s35_inversion_encoder;
mod s36_inversion_hybrid;
mod s37_attribute;
mod s38_constrained_edit;
mod s39_super_resolution;
mod s40_completion;
mod s41_seq2seq;
mod s42_rl_chatbot;
mod s43_tree_search;
mod s44_seqgan;
mod s45_per_step_reward;
mod s46_word_wgan;
mod s47_text_cycle;
mod s48_styles;
mod s49_summary;
