//! Kernels of random programs lowered for both architectures.

use super::{compile, define, flags};
use crate::plan::{Options, plan};
use crate::testing;
use cranelift_codegen::ir::{AbiParam, Signature, types};
use cranelift_codegen::isa;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::default_libcall_names;

/// Lowers all kernels of some random programs, with Cranelift's verifier on; runs nothing.
fn lowers_for(triple: &str) {
    let options = testing::Options { nodes: 60, ..testing::Options::default() };
    for seed in 0..40 {
        let program = testing::random_program(seed, &options);
        let plan = plan(&program.graph, &Options { share_from: 0, ..Options::new(2) }).unwrap();
        let isa = isa::lookup_by_name(triple).unwrap().finish(flags().unwrap()).unwrap();
        let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        let ids = define(&mut module, &plan.kernels, 3).unwrap_or_else(|e| panic!("seed {seed} for {triple}: {e}"));
        assert_eq!(ids.len(), plan.kernels.len());
        // SAFETY: nothing of the module has been or will be called.
        unsafe { module.free_memory() };
    }
}

#[test]
fn kernels_lower_for_arm() {
    lowers_for("aarch64-unknown-linux-gnu");
    lowers_for("aarch64-apple-darwin");
}

#[test]
fn kernels_lower_for_x86_without_extensions() {
    lowers_for("x86_64-unknown-linux-gnu");
}

#[test]
fn threads_do_not_change_the_code() {
    let program = testing::random_program(5, &testing::Options { nodes: 60, ..testing::Options::default() });
    let kernels = plan(&program.graph, &Options { share_from: 0, ..Options::new(2) }).unwrap().kernels;
    assert!(kernels.len() > 3);
    let isa = isa::lookup_by_name("x86_64-unknown-linux-gnu").unwrap().finish(flags().unwrap()).unwrap();
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params.extend([AbiParam::new(types::I64); 3]);
    let code = |threads| -> Vec<Vec<u8>> {
        let compiled = compile(&*isa, &signature, &kernels, threads);
        compiled.into_iter().map(|context| context.unwrap().compiled_code().unwrap().code_buffer().to_vec()).collect()
    };
    let one = code(1);
    assert_eq!(one.len(), kernels.len());
    for threads in [2, 3, kernels.len()] {
        assert_eq!(code(threads), one, "{threads} threads");
    }
}
