//! The textual form of a plan.

use super::{Arg, Inst, Kernel, Memory, Plan, StepWork, StoreMode};
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.summary;
        writeln!(
            f,
            "plan: workers {}, kernels {} ({} distinct), contractions {}, barriers {}, arena {} (at least {}) bytes",
            self.workers, s.kernels, s.distinct_kernels, s.contractions, s.barriers, s.arena_bytes, s.arena_bound_bytes
        )?;
        for step in &self.steps {
            if step.barrier {
                writeln!(f, "  ---- barrier")?;
            }
            writeln!(f, "  {}", self.describe(step))?;
        }
        for (number, kernel) in self.kernels.iter().enumerate() {
            writeln!(f, "kernel{number}: {kernel}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// One step as text.
    pub fn describe(&self, step: &super::Step) -> String {
        let nodes: Vec<String> = step.nodes.iter().map(|n| format!("%{}", n.0)).collect();
        let nodes = nodes.join(" ");
        let after = step.epilogue.as_ref().map_or(String::new(), |epilogue| {
            let args: Vec<String> = epilogue
                .args
                .iter()
                .enumerate()
                .map(|(p, arg)| match p == epilogue.param {
                    true => "result".to_string(),
                    false => self.arg(arg),
                })
                .collect();
            let kept = if epilogue.kept { ", kept" } else { "" };
            format!(", then kernel{}({}){kept}", epilogue.kernel, args.join(", "))
        });
        // A result that only the epilogue sees is nowhere.
        let to = |spot: &super::Spot| match step.epilogue.as_ref().is_none_or(|epilogue| epilogue.kept) {
            true => self.spot(spot.buffer, spot.offset),
            false => "nowhere".to_string(),
        };
        match &step.work {
            StepWork::Kernel { kernel, args, parts } => {
                let args: Vec<String> = args.iter().map(|a| self.arg(a)).collect();
                let shares: Vec<String> = parts.iter().map(|p| p.map_or("-".into(), |(b, e)| format!("{b}..{e}"))).collect();
                format!("{nodes} = kernel{kernel}({}) over {}", args.join(", "), shares.join(" | "))
            }
            StepWork::Dot(spec, spots) => {
                let n = |v: Vec<usize>| v.iter().map(ToString::to_string).collect::<Vec<_>>().join("·");
                let rows = over(&spec.rows);
                let into = if spec.accumulate { "+>" } else { "->" };
                format!(
                    "{nodes} = dot({}, {}) {into} {}: batch [{}] m [{}] n [{}] k [{}]{rows}{after}",
                    self.spot(spots[0].buffer, spots[0].offset),
                    self.spot(spots[1].buffer, spots[1].offset),
                    to(&spots[2]),
                    n(spec.batch.iter().map(|x| x.extent).collect()),
                    n(spec.m.iter().map(|x| x.extent).collect()),
                    n(spec.n.iter().map(|x| x.extent).collect()),
                    n(spec.k.iter().map(|x| x.extent).collect()),
                )
            }
            StepWork::Conv(spec, spots) => {
                let axes: Vec<String> =
                    spec.spatial.iter().map(|s| format!("{}*{}->{}", s.input, s.kernel, s.output)).collect();
                format!(
                    "{nodes} = conv({}, {}) -> {}: samples {} groups {} channels {} features {} {}{}{after}",
                    self.spot(spots[0].buffer, spots[0].offset),
                    self.spot(spots[1].buffer, spots[1].offset),
                    to(&spots[2]),
                    spec.samples.extent,
                    spec.groups.extent,
                    spec.channels.extent,
                    spec.features.extent,
                    axes.join(" "),
                    over(&spec.parts),
                )
            }
        }
    }

    fn arg(&self, arg: &Arg) -> String {
        let each = if arg.per_worker > 0 { " each" } else { "" };
        format!("{}{each}", self.spot(arg.buffer, 0))
    }

    fn spot(&self, buffer: usize, offset: i64) -> String {
        let plus = if offset == 0 { String::new() } else { format!("+{offset}") };
        match self.buffers[buffer].memory {
            Memory::Arena(at) => format!("@{at}{plus}"),
            Memory::State(s) => format!("state{s}{plus}"),
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |k: usize| {
            let axis = self.axes[k];
            let vector = if self.vector == Some(k) { "v" } else { "" };
            let parallel = if self.parallel == Some(k) { "p" } else { "" };
            let (reduced, sequential) = (if axis.reduced { "r" } else { "" }, if axis.sequential { "s" } else { "" });
            format!("{}{reduced}{sequential}{vector}{parallel}", axis.extent)
        };
        let axes: Vec<String> = (0..self.axes.len()).map(mark).collect();
        writeln!(f, "[{}]", axes.join(", "))?;
        for (id, inst) in self.body.iter().enumerate() {
            writeln!(f, "  v{id} = {}", instruction(inst))?;
        }
        for s in &self.stores {
            let index = s.index.map_or(String::new(), |(id, stride, _)| format!(" + v{id}·{stride}"));
            let op = if s.mode == StoreMode::Add { "+=" } else { "=" };
            writeln!(f, "  b{}[{}{index}] {op} v{}", s.access.param, affine(&s.access.at), s.value)?;
        }
        for r in &self.reductions {
            writeln!(f, "  b{}[{}] = {:?} v{}", r.access.param, affine(&r.access.at), r.kind, r.value)?;
        }
        Ok(())
    }
}

fn instruction(inst: &Inst) -> String {
    match inst {
        Inst::Const(l) => match l {
            crate::ir::Literal::F32(v) => format!("{v:?}"),
            crate::ir::Literal::I32(v) => format!("{v}"),
            crate::ir::Literal::Bool(v) => format!("{v}"),
        },
        Inst::Index(at) => format!("index {}", affine(at)),
        Inst::Load(a, dtype) => format!("b{}[{}]: {}", a.param, affine(&a.at), dtype.name()),
        Inst::LoadAt { access, index, stride, .. } => {
            format!("b{}[{} + v{index}·{stride}]", access.param, affine(&access.at))
        }
        Inst::Rng { stream, at, .. } => format!("rng {stream} at {}", affine(at)),
        Inst::Cast(from, to, a) => format!("cast {} to {} v{a}", from.name(), to.name()),
        Inst::Unary(op, _, a) => format!("{} v{a}", op.name()),
        Inst::Binary(op, _, a, b) => format!("{} v{a} v{b}", op.name()),
        Inst::Fma(a, b, c) => format!("fma v{a} v{b} v{c}"),
        Inst::Select(_, c, a, b) => format!("select v{c} v{a} v{b}"),
    }
}

fn affine(at: &super::Affine) -> String {
    let mut terms: Vec<String> = Vec::new();
    for (k, c) in at.coefs.iter().enumerate().filter(|(_, c)| **c != 0) {
        terms.push(if *c == 1 { format!("i{k}") } else { format!("{c}·i{k}") });
    }
    if at.offset != 0 || terms.is_empty() {
        terms.push(at.offset.to_string());
    }
    terms.join(" + ")
}

/// Parts of an axis that a contraction gives its workers, if it does.
fn over(parts: &[(usize, usize)]) -> String {
    let parts: Vec<String> = parts.iter().map(|(b, e)| format!("{b}..{e}")).collect();
    if parts.is_empty() { String::new() } else { format!(" over {}", parts.join(" | ")) }
}
