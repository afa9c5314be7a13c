//! Calls of nets, fns and the language's functions: arguments by place and name, the owner of layers, types of nets.

use crate::diagnostic::did_you_mean;
use crate::evaluate::hints::{self, LastLayer};
use crate::evaluate::{Callee, Caller, Evaluation, Frame, Mode, Value, World, habits, limits};
use crate::function::Function;
use crate::resolve::{Callable, Item, Type};
use crate::signature::{self, Arg, Bound, Plan, Signature};
use crate::target::{Layer, Target};
use crate::tree::{Expr, ExprKind, Setting, Site};
use crate::types::{Dim, Element, TensorType};

/// A call as written.
pub(super) struct Written<'e> {
    pub(super) site: Site,
    pub(super) name: &'e str,
    pub(super) method: bool,
    pub(super) arguments: &'e [Expr],
    pub(super) named: &'e [Setting],
}

impl<'a, T: Target> Evaluation<'a, T> {
    pub(super) fn call(&mut self, expr: &Expr) -> Value<T::Tensor> {
        let ExprKind::Call { name, method, arguments, named } = &expr.kind else { return Value::Poison };
        let written = Written { site: expr.site, name, method: *method, arguments, named };
        if *method
            && let Some(ExprKind::Name { name: receiver }) = arguments.first().map(|receiver| &receiver.kind)
            && let Some(Callable::Divergence(index)) = self.resolved.names.callables.get(receiver).copied()
        {
            return self.divergence_part(&written, index);
        }
        match self.resolved.names.callables.get(name).copied() {
            Some(Callable::Net(_) | Callable::Fn(_)) if !self.spend(expr.site, limits::CALL) => return Value::Poison,
            Some(Callable::Net(index)) => return self.net_call(&written, index),
            Some(Callable::Fn(index)) => return self.fn_call(&written, index),
            Some(Callable::Divergence(index)) => return self.divergence(&written, index),
            None => {}
        }
        match name.as_str() {
            "repeat" => self.repeat(&written),
            "vmap" => self.vmap(&written),
            "grad" => self.grad(&written),
            "list" => {
                self.exactly(&written, 0, "list()");
                Value::List { items: Vec::new(), open: false }
            }
            _ => match signature::find(name) {
                Some(signature) => self.function(&written, signature),
                None => self.unknown(&written),
            },
        }
    }

    fn unknown(&mut self, written: &Written<'_>) -> Value<T::Tensor> {
        let name = written.name;
        if self.resolved.names.unread.contains(name) {
            written.arguments.iter().for_each(|argument| drop(self.quietly(argument)));
            return Value::Poison;
        }
        let resolved = self.resolved;
        let mut own: Vec<&str> = resolved.names.callables.keys().map(String::as_str).collect();
        signature::names().for_each(|name| own.push(name));
        let message = match name {
            "push" => "`push` is a statement: write `words.push(w);` on a line of its own, on a variable declared `let mut`"
                .to_string(),
            "E" => "the expectation is written with square brackets: `E[…]`".to_string(),
            "adam" | "sgd" | "rmsprop" => format!("`{name}` is an optimiser; it stands in `train {{ … }}`"),
            _ if self.resolved.names.values.contains_key(name) || self.binding(name).is_some() => {
                format!("`{name}` is a value and cannot be called")
            }
            _ => match habits::elsewhere(name) {
                Some(remedy) => format!("there is no `{name}` here: {remedy}"),
                None => format!("there is no function, layer, net or fn `{name}`{}", did_you_mean(name, own)),
            },
        };
        written.arguments.iter().for_each(|argument| drop(self.quietly(argument)));
        self.report_here(written.site, message)
    }

    /// Evaluates an argument of a call that has failed, for the errors in it.
    fn quietly(&mut self, argument: &Expr) -> Value<T::Tensor> {
        match argument.kind {
            ExprKind::Closure { .. } => Value::Poison,
            _ => self.expression(argument),
        }
    }

    /// Checks the number of arguments of something that takes no named ones.
    pub(super) fn exactly(&mut self, written: &Written<'_>, count: usize, usage: &str) -> bool {
        if let Some(setting) = written.named.first() {
            self.report_here(setting.name.site, format!("`{}` takes no argument by name; write `{usage}`", written.name));
            return false;
        }
        if written.arguments.len() != count {
            let got = written.arguments.len();
            let plural = if count == 1 { "argument" } else { "arguments" };
            self.report_here(written.site, format!("`{usage}` takes {count} {plural}, got {got}"));
            return false;
        }
        true
    }

    // Functions and layers of the language

    fn function(&mut self, written: &Written<'_>, signature: &'static Signature) -> Value<T::Tensor> {
        let Some(mut arguments) = self.arguments(written, signature) else { return Value::Poison };
        if arguments.iter().flatten().any(Value::poisoned) {
            return Value::Poison;
        }
        let layer = if signature.layer {
            let Some(layer) = self.layer(written, signature) else { return Value::Poison };
            Some(layer)
        } else {
            None
        };
        if layer.is_some() {
            // Layers run over the batch, also where their operand is one value for all.
            for value in arguments.iter_mut().flatten() {
                if let Value::Tensor(tensor) = value {
                    *value = Value::Tensor(self.over_batch(written.site, tensor.clone()));
                }
            }
        }
        if self.mode == Mode::Inference && matches!(signature.name, "minibatch_std" | "other_sample") {
            let message =
                format!("`{}` mixes samples and cannot stand in an output, which runs at any batch size", signature.name);
            return self.report(written.site, message);
        }
        if signature.name == "replay"
            && let Some(message) = self.no_pool_here()
        {
            return self.report(written.site, message);
        }
        if let Some(value) = constant_fold(signature.name, &arguments) {
            return value;
        }
        let seen: Vec<_> = arguments.iter().map(|value| value.as_ref().map(Self::argument)).collect();
        match (signature.rule)(&Bound { signature, arguments: &seen }) {
            // Rule 24: what is used, not trained, drops nothing and is not changed at random.
            Ok(Plan {
                function: Function::Dropout { always: false, .. } | Function::DiffAugment { always: false, .. },
                ..
            }) if self.frame.inference => {
                let value = arguments.swap_remove(0).unwrap_or(Value::Poison);
                match self.operand(written.site, value) {
                    Some(operand) => Value::Tensor(self.over_batch(written.site, operand)),
                    None => Value::Poison,
                }
            }
            Ok(mut plan) => {
                if let Function::Replay { pool, .. } = &mut plan.function {
                    *pool = self.next_pool();
                }
                if let (true, Some(Arg::Tensor(input)), Some(output)) =
                    (signature.layer, seen.first().cloned().flatten(), plan.results.first())
                {
                    let function = plan.function.clone();
                    self.frame.last = Some(LastLayer { function, input, output: output.clone() });
                }
                self.carry_out(written.site, plan, &arguments, signature.passes, layer.as_ref())
            }
            Err(problem) => {
                let at = problem.argument.and_then(|index| self.written_argument(written, signature, index));
                let hyper = match at.map(|(_, value)| &value.kind) {
                    Some(ExprKind::Name { name }) if problem.message.contains("known at compile time") => {
                        self.hyper_hint(name)
                    }
                    _ => String::new(),
                };
                let site = match at {
                    Some((name, _)) => name,
                    None => written.site,
                };
                self.report(site, problem.message + &hyper)
            }
        }
    }

    /// Why `replay` cannot stand here, if it cannot: its pool belongs to a turn (rule 29).
    fn no_pool_here(&self) -> Option<String> {
        if self.mode == Mode::Inference {
            return Some("`replay` shows samples of earlier turns and cannot stand in an output".to_string());
        }
        if self.frame.world == World::Net {
            return Some(
                "`replay` stands in a net, whose calls would share one pool; apply it to what the net is called with, in a `let` or objective"
                    .to_string(),
            );
        }
        (!self.frame.entries.is_empty())
            .then(|| "`replay` keeps samples and cannot stand inside `vmap`; apply it before or after".to_string())
    }

    /// The name of the next replay pool of the item that is evaluated.
    fn next_pool(&mut self) -> String {
        match &mut self.frame.item {
            Some((item, made)) => {
                *made += 1;
                format!("replay.{item}.{}", *made - 1)
            }
            None => String::new(),
        }
    }

    /// Where an argument of a signature was written, and what; a receiver's errors belong to the method's name.
    fn written_argument<'e>(&self, written: &Written<'e>, signature: &Signature, index: usize) -> Option<(Site, &'e Expr)> {
        let required = signature.required;
        let name = required.get(index).or_else(|| signature.optional.get(index.checked_sub(required.len())?))?;
        if let Some(setting) = written.named.iter().find(|setting| setting.name.text == *name) {
            return Some((setting.name.site, &setting.value));
        }
        if written.method && index == 0 {
            return None;
        }
        written.arguments.get(index).map(|argument| (argument.site, argument))
    }

    /// What to do about a hyper where a constant is needed.
    fn hyper_hint(&self, name: &str) -> String {
        match self.resolved.names.values.get(name) {
            Some(Item::Hyper(_)) if self.binding(name).is_none() => {
                format!("; `{name}` is a hyper, which may change while training: declare a size `const {name}: usize = …;`")
            }
            _ => String::new(),
        }
    }

    /// The arguments in the order of the signature; None after an error in their number or names.
    fn arguments(&mut self, written: &Written<'_>, signature: &'static Signature) -> Option<Vec<Option<Value<T::Tensor>>>> {
        let mut values: Vec<Value<T::Tensor>> = Vec::new();
        for argument in written.arguments {
            values.push(self.expression(argument));
        }
        let required = signature.required.len();
        let mut slots: Vec<Option<Value<T::Tensor>>> = vec![None; required + signature.optional.len()];
        let mut fine = true;
        let usage = signature.usage();
        let given = values.len();
        if signature.variadic {
            if given < 2 {
                self.report_here(written.site, format!("`{usage}` takes two or more tensors, got {given}"));
                fine = false;
            }
            slots[0] = Some(Value::List { items: values, open: false });
        } else {
            if given > required {
                let hint = match (signature.name, signature.optional) {
                    ("relu", _) => "; with a slope below 0 it is `leaky_relu(x, 0.2)`".to_string(),
                    (_, []) => String::new(),
                    (_, [first, ..]) => format!("; options are given by name, such as `{first} = …`"),
                };
                let plural = if required == 1 { "argument" } else { "arguments" };
                let before = if written.method { ", counting what stands before the dot" } else { "" };
                self.report_here(
                    written.site,
                    format!("`{usage}` takes {required} {plural} without name{before}, got {given}{hint}"),
                );
                fine = false;
            }
            for (slot, value) in slots.iter_mut().zip(values.into_iter().take(required)) {
                *slot = Some(value);
            }
        }
        for setting in written.named {
            let value = self.expression(&setting.value);
            let name = setting.name.text.as_str();
            let index = signature.required.iter().chain(signature.optional).position(|known| *known == name);
            match index {
                Some(index) if slots[index].is_some() => {
                    self.report_here(setting.name.site, format!("`{name}` of `{}` is given twice", signature.name));
                    fine = false;
                }
                Some(index) => slots[index] = Some(value),
                None => {
                    let known: Vec<&str> = signature.required.iter().chain(signature.optional).copied().collect();
                    let hint = did_you_mean(name, known);
                    let message = format!("`{}` has no argument `{name}`{hint}; it is called `{usage}`", signature.name);
                    self.report_here(setting.name.site, message);
                    fine = false;
                }
            }
        }
        let missing: Vec<String> = signature
            .required
            .iter()
            .zip(&slots)
            .filter(|(_, slot)| slot.is_none())
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        if fine && !missing.is_empty() {
            let message = format!("`{}` lacks {}; it is called `{usage}`", signature.name, missing.join(" and "));
            self.report_here(written.site, message);
            fine = false;
        }
        fine.then_some(slots)
    }

    /// The owner and name of a layer that is being called (rules 1–5).
    fn layer(&mut self, written: &Written<'_>, signature: &Signature) -> Option<Layer> {
        let name = signature.name;
        let problem = match &mut self.frame.net {
            None if self.frame.alone => return None,
            None => format!("the layer `{name}` owns parameters and stands outside a net; put it in a net"),
            Some(_) if self.frame.looped => format!(
                "the layer `{name}` stands in a `for`; put it in a net of its own (shared by all rounds), or use `repeat` (own \
                 parameters each round)"
            ),
            Some((net, made)) => {
                let count = made.entry(name).or_default();
                let index = *count;
                *count += 1;
                let net = *net;
                self.owners[net] = true;
                let full = format!("{}.{name}_{index}", self.resolved.model.nets[net].name.text);
                return Some(Layer { net, name: full, inference: self.frame.inference });
            }
        };
        self.report(written.site, problem);
        None
    }

    // Nets and fns

    fn net_call(&mut self, written: &Written<'_>, index: usize) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let net = &resolved.model.nets[index];
        let name = &net.name.text;
        let Some(known) = resolved.nets.get(index) else { return Value::Poison };
        let parameters: Vec<String> = known.parameters.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let usage = format!("{name}({})", parameters.join(", "));
        if written.method {
            written.arguments.iter().for_each(|argument| drop(self.quietly(argument)));
            return self.report_here(written.site, format!("a net is called as `{usage}`, not as a method"));
        }
        let values: Vec<Value<T::Tensor>> = written.arguments.iter().map(|argument| self.expression(argument)).collect();
        if !self.exactly(written, known.parameters.len(), &usage) {
            return self.stand_in(&known.result);
        }
        if self.stack.iter().any(|caller| caller.callee == Callee::Net(index)) {
            return self.report(written.site, format!("the net `{name}` calls itself"));
        }
        let mut scope = Vec::new();
        for ((parameter, ty), (value, argument)) in known.parameters.iter().zip(values.into_iter().zip(written.arguments)) {
            let got = value.describe();
            let known = value.tensor_type().cloned();
            let value = match self.conform(argument.site, value, ty, true) {
                Ok(value) => value,
                Err(()) => {
                    let hint = hints::argument(parameter, ty, known.as_ref(), &got);
                    self.report(argument.site, format!("`{name}` takes {parameter}: {ty}, got {got}{hint}"))
                }
            };
            scope.push((parameter.clone(), value));
        }
        // A net whose call is wrong still has its result, so that what follows can be checked.
        if scope.iter().any(|(_, value)| value.poisoned()) {
            return self.stand_in(&known.result);
        }
        match &net.body {
            Some(_) => self.net_body(index, written.site, scope),
            None => self.extern_call(index, written.site, scope),
        }
    }

    /// The body of a net over arguments that have been checked.
    pub(crate) fn net_body(&mut self, index: usize, site: Site, scope: Vec<(String, Value<T::Tensor>)>) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let (net, known) = (&resolved.model.nets[index], &resolved.nets[index]);
        let Some(body) = &net.body else { return Value::Poison };
        let mut frame = Frame::new(World::Net, self.frame.inference || known.attributes.frozen);
        frame.net = Some((index, Default::default()));
        frame.entries.clone_from(&self.frame.entries);
        let outer = std::mem::replace(&mut self.frame, frame);
        self.stack.push(Caller { site, callee: Callee::Net(index) });
        for (name, value) in scope {
            self.mark(&name, &value);
            self.bind_name(&name, value, false);
        }
        let value = self.value_of(body);
        let end = body.value.as_ref().map_or(body.site, |value| value.site);
        let got = value.describe();
        let got_type = value.tensor_type().cloned();
        let poisoned = value.poisoned();
        let result = match self.conform(end, value, &known.result, true) {
            Ok(value) => value,
            Err(()) => {
                let name = &net.name.text;
                let remedy = hints::result(&known.result, got_type.as_ref(), self.frame.last.as_ref());
                let message =
                    format!("the net `{name}` declares the result {}, but its body gives {got}; {remedy}", known.result);
                self.report(end, message)
            }
        };
        self.stack.pop();
        self.frame = outer;
        if poisoned || result.poisoned() { self.stand_in(&known.result) } else { result }
    }

    /// In the macro, a value of a net's declared type in place of one that went wrong.
    fn stand_in(&mut self, ty: &Type) -> Value<T::Tensor> {
        if !self.target.types_only() {
            return Value::Poison;
        }
        match ty {
            Type::Unknown => Value::Poison,
            Type::Tuple(parts) => Value::Tuple(parts.iter().map(|part| self.stand_in(part)).collect()),
            Type::Tensor(ty) => match self.target.number(f64::NAN) {
                Ok(tensor) => {
                    let node = self.record.add_stand_in();
                    let ty = TensorType { per_sample: true, ..ty.clone() };
                    Value::Tensor(crate::evaluate::Tracked { typed: crate::target::Typed { ty, tensor }, node, depth: 0 })
                }
                Err(_) => Value::Poison,
            },
        }
    }

    fn extern_call(&mut self, index: usize, site: Site, scope: Vec<(String, Value<T::Tensor>)>) -> Value<T::Tensor> {
        let known = &self.resolved.nets[index];
        let mut operands = Vec::new();
        for (_, value) in scope {
            match self.operand(site, value) {
                Some(operand) => operands.push(operand),
                None => return Value::Poison,
            }
        }
        let parts = match &known.result {
            Type::Tuple(parts) => parts.clone(),
            other => vec![other.clone()],
        };
        let mut types = Vec::new();
        for part in parts {
            let Type::Tensor(ty) = part else { return Value::Poison };
            types.push(TensorType { per_sample: true, ..ty });
        }
        let layer = Layer {
            net: index,
            name: known.name.clone(),
            inference: self.frame.inference || known.attributes.frozen || !known.updated,
        };
        let mut results = self.emit(site, &Function::Extern { net: index }, operands, &types, Some(&layer), true);
        if results.len() == 1 { results.pop().unwrap_or(Value::Poison) } else { Value::Tuple(results) }
    }

    /// The value as one of this type; per sample if `batched`.
    pub(crate) fn conform(
        &mut self,
        site: Site,
        value: Value<T::Tensor>,
        ty: &Type,
        batched: bool,
    ) -> Result<Value<T::Tensor>, ()> {
        match (value, ty) {
            (Value::Poison, _) => Ok(Value::Poison),
            (value, Type::Unknown) => Ok(value),
            (Value::Tuple(values), Type::Tuple(types)) if values.len() == types.len() => {
                let parts = values.into_iter().zip(types).map(|(value, ty)| self.conform(site, value, ty, batched));
                Ok(Value::Tuple(parts.collect::<Result<_, _>>()?))
            }
            (Value::Tuple(_) | Value::List { .. } | Value::Range(..), _) | (_, Type::Tuple(_)) => Err(()),
            (value, Type::Tensor(ty)) => {
                let Some(mut tensor) = self.operand(site, value) else { return Ok(Value::Poison) };
                let got = &tensor.typed.ty;
                let shapes =
                    got.shape.len() == ty.shape.len() && got.shape.iter().zip(&ty.shape).all(|(a, b)| agree(*a, *b));
                let elements = match (got.element, ty.element) {
                    (Element::Float, Element::Float) => true,
                    (Element::Class(a), Element::Class(b)) => agree(a, b),
                    _ => false,
                };
                if !shapes || !elements {
                    return Err(());
                }
                if batched {
                    tensor = self.over_batch(site, tensor);
                }
                if self.target.types_only() {
                    tensor.typed.ty.shape.clone_from(&ty.shape);
                }
                Ok(Value::Tensor(tensor))
            }
        }
    }

    fn fn_call(&mut self, written: &Written<'_>, index: usize) -> Value<T::Tensor> {
        let resolved = self.resolved;
        let item = &resolved.model.fns[index];
        let name = &item.name.text;
        let parameters: Vec<&str> = item.parameters.iter().map(|parameter| parameter.name.text.as_str()).collect();
        let usage = format!("{name}({})", parameters.join(", "));
        let values: Vec<Value<T::Tensor>> = written.arguments.iter().map(|argument| self.expression(argument)).collect();
        if !self.exactly(written, item.parameters.len(), &usage) {
            return Value::Poison;
        }
        if self.stack.iter().any(|caller| caller.callee == Callee::Fn(index)) {
            return self.report(written.site, format!("the fn `{name}` calls itself; a fn is pasted where it is called"));
        }
        let mut scope = Vec::new();
        for ((parameter, value), argument) in item.parameters.iter().zip(values).zip(written.arguments) {
            let value = match &parameter.ty {
                Some(ty) => {
                    let ty = self.written_type(ty);
                    let got = value.describe();
                    self.conform(argument.site, value, &ty, false).unwrap_or_else(|()| {
                        self.report(argument.site, format!("`{name}` takes {}: {ty}, got {got}", parameter.name.text))
                    })
                }
                None => value,
            };
            scope.push((parameter.name.text.clone(), value));
        }
        // Only its parameters are in scope, and of the model no more than the caller sees.
        let scopes = std::mem::replace(&mut self.frame.scopes, vec![Vec::new()]);
        let barrier = self.frame.barrier;
        self.frame.barrier = usize::from(barrier > 0);
        self.stack.push(Caller { site: written.site, callee: Callee::Fn(index) });
        for (name, value) in scope {
            self.mark(&name, &value);
            self.bind_name(&name, value, false);
        }
        let value = self.value_of(&item.body);
        self.stack.pop();
        self.frame.scopes = scopes;
        self.frame.barrier = barrier;
        value
    }
}

pub(super) fn agree(a: Dim, b: Dim) -> bool {
    a == b || a == Dim::Open || b == Dim::Open
}

fn constant_fold<X: Clone>(name: &str, arguments: &[Option<Value<X>>]) -> Option<Value<X>> {
    let mut numbers = Vec::new();
    let mut open = false;
    for argument in arguments {
        let number = match argument.as_ref()? {
            Value::Number(number) => *number,
            Value::Flag(flag) => flag.map(f64::from),
            _ => return None,
        };
        open |= number.is_none();
        numbers.push(number.unwrap_or(1.0));
    }
    let value = signature::folded(name, &numbers)?;
    Some(Value::Number((!open).then_some(value)))
}
