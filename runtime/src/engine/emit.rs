//! `SADDLEPOINT_EMIT`: the programs of a model at every stage of the compiler, as files.
//!
//! The variable names a folder, `SADDLEPOINT_EMIT=out`, or kinds and a folder, `SADDLEPOINT_EMIT=ir,clif:out`:
//!
//! - `ir`: the program after each stage of the optimiser, in the IR's textual form;
//! - `dot`: the same as graphs for Graphviz;
//! - `plan`: the planned steps;
//! - `clif`: the kernels in Cranelift's IR, of a program for the CPU;
//! - `wgsl`: the shaders, of a program for the GPU.
//!
//! Files are called `Model.turn-D.2-directed-rules.ir`.

use crate::device::any::Executable;
use crate::error::{Error, Result};
use saddlepoint_compiler::codegen::clif;
use saddlepoint_compiler::ir::Graph;
use std::path::PathBuf;

/// The environment variable.
const VARIABLE: &str = "SADDLEPOINT_EMIT";
const KINDS: [&str; 5] = ["ir", "dot", "plan", "clif", "wgsl"];

/// What is written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Emit {
    kinds: Vec<&'static str>,
    folder: PathBuf,
}

impl Emit {
    /// As the environment says; `None` if it says nothing.
    pub fn from_environment() -> Result<Option<Emit>> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.is_empty() => Emit::parse(&text).map(Some),
            _ => Ok(None),
        }
    }

    fn parse(text: &str) -> Result<Emit> {
        let all = |folder: &str| Emit { kinds: KINDS.to_vec(), folder: folder.into() };
        // A drive's letter is no kind.
        let Some((kinds, folder)) = text.split_once(':').filter(|(kinds, _)| kinds.len() > 1) else { return Ok(all(text)) };
        let known = |kind: &str| {
            KINDS.into_iter().find(|k| *k == kind).ok_or_else(|| Error::Setting {
                setting: VARIABLE,
                message: format!("there is no kind {kind:?} of files; there are {}", KINDS.join(", ")),
            })
        };
        if folder.is_empty() {
            return Err(Error::Setting { setting: VARIABLE, message: format!("no folder follows the kinds in {text:?}") });
        }
        Ok(Emit { kinds: kinds.split(',').map(known).collect::<Result<_>>()?, folder: folder.into() })
    }

    /// Writes a program after a stage, which is the `number`-th.
    pub fn stage(&self, program: &str, number: usize, stage: &str, graph: &Graph) -> Result<()> {
        let name = format!("{program}.{number}-{stage}");
        self.file("ir", &name, &|| Ok(graph.to_string()))?;
        self.file("dot", &name, &|| Ok(graph.to_dot()))
    }

    /// Writes a program's plan, and its kernels or shaders.
    pub fn plan(&self, program: &str, executable: &Executable) -> Result<()> {
        let plan = executable.plan();
        self.file("plan", program, &|| Ok(plan.to_string()))?;
        match executable.shaders() {
            [] => self.file("clif", program, &|| Ok(clif::text(&plan.kernels)?)),
            shaders => self.file("wgsl", program, &|| {
                Ok(shaders.iter().enumerate().map(|(number, shader)| format!("// shader {number}\n{shader}\n")).collect())
            }),
        }
    }

    fn file(&self, kind: &str, name: &str, text: &dyn Fn() -> Result<String>) -> Result<()> {
        if !self.kinds.contains(&kind) {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, e))?;
        let path = self.folder.join(format!("{}.{kind}", name.replace(|c: char| c.is_whitespace() || c == ',', "-")));
        std::fs::write(&path, text()?).map_err(|e| Error::io(&path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_folders_are_told_apart() {
        let emit = |text: &str| Emit::parse(text).map(|emit| (emit.kinds.join(","), emit.folder));
        assert_eq!(emit("out").unwrap(), ("ir,dot,plan,clif,wgsl".into(), "out".into()));
        assert_eq!(emit("ir,clif:out/here").unwrap(), ("ir,clif".into(), "out/here".into()));
        assert_eq!(emit("C:\\out").unwrap().1, PathBuf::from("C:\\out"));
        let error = emit("irr:out").unwrap_err().to_string();
        assert!(error.contains("\"irr\"") && error.contains("ir, dot, plan, clif, wgsl"), "{error}");
        assert!(emit("ir:").unwrap_err().to_string().contains("no folder"));
    }
}
