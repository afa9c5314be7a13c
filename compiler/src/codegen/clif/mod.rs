//! Kernels as machine code, by Cranelift.
//!
//! In: [`Kernel`]s, whose accesses the planner has proved to stay inside their buffers. Out: one function a kernel with the
//! interface of [`KernelFn`]. [`define`] is generic over Cranelift's `Module`, so that object files can follow; [`Native`] is
//! the just-in-time one.

mod body;
mod math;
mod nest;
mod philox;

#[cfg(test)]
mod tests;

use crate::plan::Kernel;
use crate::{Error, Result};
use cranelift_codegen::Context;
use cranelift_codegen::ir::{AbiParam, types};
use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};

/// A compiled kernel: `(buffers, begin, end)` runs iterations `begin..end` of the kernel's parallel axis (`0..1` for a kernel
/// without axes).
///
/// Calling it is sound when `buffers` points to one pointer for each of the kernel's parameters, each to memory that holds
/// everything that the plan says the kernel accesses there; `0 ≤ begin ≤ end ≤` the extent of the parallel axis; and no other
/// thread writes what this part reads or touches what it writes until it returns.
pub type KernelFn = unsafe extern "C" fn(*const *const u8, i64, i64);

/// Whether fused multiply-add is an instruction of the target.
fn has_fma(isa: &dyn TargetIsa) -> bool {
    isa.name() != "x64" || isa.isa_flags().iter().any(|f| f.name == "has_fma" && f.as_bool() == Some(true))
}

/// Settings of all code: speed; the verifier in debug builds only.
pub fn flags() -> Result<settings::Flags> {
    let mut builder = settings::builder();
    let verifier = if cfg!(debug_assertions) { "true" } else { "false" };
    let values =
        [("opt_level", "speed"), ("enable_verifier", verifier), ("is_pic", "false"), ("use_colocated_libcalls", "false")];
    for (name, value) in values {
        builder.set(name, value).map_err(|e| Error::codegen(e.to_string()))?;
    }
    Ok(settings::Flags::new(builder))
}

/// Declares and defines one function a kernel.
///
/// # Errors
/// [`Error::Codegen`] when Cranelift refuses: a fault of this compiler.
pub fn define<M: Module>(module: &mut M, kernels: &[Kernel]) -> Result<Vec<FuncId>> {
    let fma = has_fma(module.isa());
    let mut context = Context::new();
    let mut builder_context = FunctionBuilderContext::new();
    let mut ids = Vec::with_capacity(kernels.len());
    for (number, kernel) in kernels.iter().enumerate() {
        let fail = |e: &dyn std::fmt::Display| Error::codegen(format!("kernel {number}: {e}"));
        module.clear_context(&mut context);
        let mut signature = module.make_signature();
        signature.params.extend([AbiParam::new(types::I64); 3]);
        context.func.signature = signature;
        let mut builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let arguments = [0, 1, 2].map(|i| builder.block_params(entry)[i]);
        let unknown = nest::Emitter::emit(&mut builder, kernel, fma, arguments);
        use cranelift_codegen::ir::InstBuilder;
        builder.ins().return_(&[]);
        builder.finalize(module.target_config());
        if let Some(op) = unknown {
            return Err(fail(&format!("there is no code for {}", op.name())));
        }
        let id = module
            .declare_function(&format!("kernel{number}"), Linkage::Export, &context.func.signature)
            .map_err(|e| fail(&e))?;
        module.define_function(id, &mut context).map_err(|e| fail(&format!("{e:?}")))?;
        ids.push(id);
    }
    Ok(ids)
}

/// Kernels compiled for this machine, ready to call. Frees the code when dropped.
pub struct Native {
    module: Option<JITModule>,
    functions: Vec<KernelFn>,
}

impl Native {
    /// Compiles kernels for this machine.
    ///
    /// # Errors
    /// [`Error::Codegen`] when the machine is not supported or Cranelift refuses.
    pub fn compile(kernels: &[Kernel]) -> Result<Native> {
        let isa: OwnedTargetIsa = cranelift_native::builder()
            .map_err(Error::codegen)?
            .finish(flags()?)
            .map_err(|e| Error::codegen(e.to_string()))?;
        let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        let ids = define(&mut module, kernels)?;
        module.finalize_definitions().map_err(|e| Error::codegen(e.to_string()))?;
        let functions = ids
            .into_iter()
            .map(|id| {
                let code = module.get_finalized_function(id);
                // SAFETY: `define` gave the function exactly this signature, and the module keeps the code alive.
                unsafe { std::mem::transmute::<*const u8, KernelFn>(code) }
            })
            .collect();
        Ok(Native { module: Some(module), functions })
    }

    /// The functions, in the order of the kernels. They must not be called after `self` is dropped.
    pub fn functions(&self) -> &[KernelFn] {
        &self.functions
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: the functions are only reachable through `self`, which is going away.
            unsafe { module.free_memory() };
        }
    }
}
