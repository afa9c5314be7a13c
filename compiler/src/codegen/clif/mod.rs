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
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, Signature, UserFuncName, types};
use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, ModuleReloc, default_libcall_names};

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

/// Declares and defines one function a kernel. As many kernels as `threads` says are compiled at a time; what comes out does not depend on
/// it.
///
/// # Errors
/// [`Error::Codegen`] when Cranelift refuses: a fault of this compiler.
pub fn define<M: Module>(module: &mut M, kernels: &[Kernel], threads: usize) -> Result<Vec<FuncId>> {
    let mut signature = module.make_signature();
    signature.params.extend([AbiParam::new(types::I64); 3]);
    let compiled = compile(module.isa(), &signature, kernels, threads.clamp(1, kernels.len().max(1)));
    let mut ids = Vec::with_capacity(kernels.len());
    for (number, context) in compiled.into_iter().enumerate() {
        let fail = |e: &dyn std::fmt::Display| Error::codegen(format!("kernel {number}: {e}"));
        let context = context.map_err(|e| fail(&e))?;
        let code = context.compiled_code().ok_or_else(|| fail(&"there is no code"))?;
        let id = module.declare_function(&format!("kernel{number}"), Linkage::Export, &signature).map_err(|e| fail(&e))?;
        let relocs: Vec<ModuleReloc> =
            code.buffer.relocs().iter().map(|reloc| ModuleReloc::from_mach_reloc(reloc, &context.func, id)).collect();
        module
            .define_function_bytes(id, u64::from(code.buffer.alignment), code.code_buffer(), &relocs)
            .map_err(|e| fail(&format!("{e:?}")))?;
        ids.push(id);
    }
    Ok(ids)
}

/// The kernels' code, in their order; every thread takes every so-manieth kernel.
fn compile(
    isa: &dyn TargetIsa,
    signature: &Signature,
    kernels: &[Kernel],
    threads: usize,
) -> Vec<std::result::Result<Context, String>> {
    let share = |thread: usize| -> Vec<std::result::Result<Context, String>> {
        let mut builder_context = FunctionBuilderContext::new();
        let mine = kernels.iter().skip(thread).step_by(threads);
        mine.map(|kernel| function(isa, signature, kernel, &mut builder_context)).collect()
    };
    let shares: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || share(thread))).collect();
        let own = share(0);
        let joined = others.into_iter().map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        std::iter::once(own).chain(joined).collect()
    });
    let mut shares: Vec<_> = shares.into_iter().map(Vec::into_iter).collect();
    (0..kernels.len()).filter_map(|number| shares[number % threads].next()).collect()
}

/// Kernels as Cranelift's text, before it optimises them.
///
/// # Errors
/// [`Error::Codegen`] when the machine is not supported, or a kernel has an op without code.
pub fn text(kernels: &[Kernel]) -> Result<String> {
    let isa = native()?;
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params.extend([AbiParam::new(types::I64); 3]);
    let mut builder_context = FunctionBuilderContext::new();
    let mut text = String::new();
    for (number, kernel) in kernels.iter().enumerate() {
        let context = emitted(&*isa, &signature, kernel, &mut builder_context).map_err(Error::codegen)?;
        text += &format!("; kernel {number}\n{}\n", context.func.display());
    }
    Ok(text)
}

/// This machine, with all its instructions.
fn native() -> Result<OwnedTargetIsa> {
    let builder = cranelift_native::builder().map_err(Error::codegen)?;
    builder.finish(flags()?).map_err(|e| Error::codegen(e.to_string()))
}

/// One kernel's machine code.
fn function(
    isa: &dyn TargetIsa,
    signature: &Signature,
    kernel: &Kernel,
    builder_context: &mut FunctionBuilderContext,
) -> std::result::Result<Context, String> {
    let mut context = emitted(isa, signature, kernel, builder_context)?;
    context.compile(isa, &mut ControlPlane::default()).map_err(|e| format!("{:?}", e.inner))?;
    Ok(context)
}

/// One kernel in Cranelift's IR.
fn emitted(
    isa: &dyn TargetIsa,
    signature: &Signature,
    kernel: &Kernel,
    builder_context: &mut FunctionBuilderContext,
) -> std::result::Result<Context, String> {
    let mut context = Context::for_function(Function::with_name_signature(UserFuncName::default(), signature.clone()));
    let mut builder = FunctionBuilder::new(&mut context.func, builder_context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let arguments = [0, 1, 2].map(|i| builder.block_params(entry)[i]);
    let unknown = nest::Emitter::emit(&mut builder, kernel, has_fma(isa), arguments);
    builder.ins().return_(&[]);
    builder.finalize(isa.frontend_config());
    if let Some(op) = unknown {
        return Err(format!("there is no code for {}", op.name()));
    }
    Ok(context)
}

/// Kernels compiled for this machine, ready to call. Frees the code when dropped.
pub struct Native {
    module: Option<JITModule>,
    functions: Vec<KernelFn>,
}

impl Native {
    /// Compiles kernels for this machine, on so many threads.
    ///
    /// # Errors
    /// [`Error::Codegen`] when the machine is not supported or Cranelift refuses.
    pub fn compile(kernels: &[Kernel], threads: usize) -> Result<Native> {
        let mut module = JITModule::new(JITBuilder::with_isa(native()?, default_libcall_names()));
        let ids = define(&mut module, kernels, threads)?;
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
