//! Linking: a net of another model takes the place of an `extern net`'s missing body.
//!
//! In: the model with its extern net, and the model that the net comes from, resolved. Out: the model with that net's body, and
//! with everything the body calls under names that no user can write (`G.Trunk` for the net `Trunk` behind the extern net
//! `G`). Constants and hypers of the other model become the numbers they are. What always holds: everything that is taken
//! over stands at the place of the `extern net`, and has sites of its own, so that draws and layers stay apart.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::resolve::{Callable, Item, Resolved};
use crate::tree::{
    Attribute, Block, Divergence, Expr, ExprKind, Field, Fn, Model, Name, Net, Param, Pattern, Place, Setting, Site,
    Statement, Type,
};

/// Where the body of an extern net comes from.
pub struct Origin<'a> {
    /// The other model.
    pub resolved: &'a Resolved,
    /// Index of the net in it.
    pub net: usize,
    /// Values of its hypers, in its order.
    pub hypers: &'a [f64],
    /// Where its Rust functions begin in the linked model's table.
    pub functions: usize,
}

/// A net that was taken over: its name in the other model, and here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// The name there.
    pub there: String,
    /// The name here.
    pub here: String,
}

/// Gives the extern net `index` of `model` the body of another model's net; `trained` says whether a player updates it.
///
/// # Errors
/// At the `extern net`, when the declared types are not those of the other model's net, or that net has no body either.
pub fn link(
    model: &mut Model,
    resolved: &Resolved,
    index: usize,
    trained: bool,
    origin: &Origin<'_>,
) -> Result<Vec<Linked>, Diagnostic> {
    let declared = &resolved.nets[index];
    let site = model.nets[index].name.site;
    let (known, net) = (&origin.resolved.nets[origin.net], &origin.resolved.model.nets[origin.net]);
    let (there, name) = (&origin.resolved.model.name.text, &known.name);
    let signature = |net: &crate::resolve::Net| {
        let parameters: Vec<String> = net.parameters.iter().map(|(_, ty)| ty.to_string()).collect();
        format!("({}) -> {}", parameters.join(", "), net.result)
    };
    let (ours, theirs) = (signature(declared), signature(known));
    if ours != theirs {
        let message = format!(
            "the extern net `{}` is declared {ours}, but the net `{name}` of `{there}` is {theirs}; declare it as that",
            declared.name
        );
        return Err(Diagnostic::new(site, message));
    }
    let Some(body) = &net.body else {
        let message =
            format!("the net `{name}` of `{there}` is itself extern and was not linked; give a model built with it");
        return Err(Diagnostic::new(site, message));
    };
    let mut copy = Copy {
        origin,
        place: model.place(site),
        places: &mut model.places,
        prefix: declared.name.clone(),
        scopes: Vec::new(),
        wanted: BTreeMap::new(),
    };
    let parameters = copy.bound(net.parameters.iter().map(|p| p.name.text.clone()));
    let body = copy.scoped(parameters, |c| c.block(body));
    // What is called may call more: until nothing new is wanted.
    let mut found = Parts { nets: Vec::new(), fns: Vec::new(), divergences: Vec::new() };
    let mut done: Vec<Callable> = Vec::new();
    while let Some((name, callable)) = copy.wanted.iter().find(|(_, c)| !done.contains(c)).map(|(n, c)| (n.clone(), *c)) {
        done.push(callable);
        copy.callable(&name, callable, &mut found);
    }
    let mut linked = vec![Linked { there: name.clone(), here: declared.name.clone() }];
    linked.extend(found.nets.iter().map(|(there, net)| Linked { there: there.clone(), here: net.name.text.clone() }));
    let normed = known.attributes.spectral_norm && !declared.attributes.spectral_norm;
    let attribute = |text: &str| Attribute { name: Name { text: text.to_string(), site }, arguments: Vec::new() };
    let target = &mut model.nets[index];
    for (ours, theirs) in target.parameters.iter_mut().zip(&net.parameters) {
        ours.name.text.clone_from(&theirs.name.text);
    }
    target.body = Some(body);
    if normed {
        target.attributes.push(attribute("spectral_norm"));
    }
    if !trained && !declared.attributes.frozen {
        target.attributes.push(attribute("frozen"));
    }
    model.nets.extend(found.nets.into_iter().map(|(_, net)| net));
    model.fns.extend(found.fns);
    model.divergences.extend(found.divergences);
    Ok(linked)
}

/// What a body calls, copied.
struct Parts {
    nets: Vec<(String, Net)>,
    fns: Vec<Fn>,
    divergences: Vec<Divergence>,
}

/// Copies parts of one model for another.
struct Copy<'a> {
    origin: &'a Origin<'a>,
    place: Place,
    places: &'a mut Vec<Place>,
    prefix: String,
    /// Names bound by what is being copied, which hide the model's.
    scopes: Vec<Vec<String>>,
    /// What was called, by its name there.
    wanted: BTreeMap<String, Callable>,
}

impl Copy<'_> {
    fn site(&mut self) -> Site {
        self.places.push(self.place);
        Site(self.places.len() as u32 - 1)
    }

    fn named(&mut self, text: &str) -> Name {
        Name { text: text.to_string(), site: self.site() }
    }

    fn bound(&self, names: impl Iterator<Item = String>) -> Vec<String> {
        names.collect()
    }

    fn scoped<R>(&mut self, names: Vec<String>, copy: impl FnOnce(&mut Self) -> R) -> R {
        self.scopes.push(names);
        let result = copy(self);
        self.scopes.pop();
        result
    }

    fn bind(&mut self, pattern: &Pattern) {
        let names: Vec<String> = pattern.names().iter().map(|name| name.text.clone()).collect();
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names);
        }
    }

    fn callable(&mut self, there: &str, callable: Callable, found: &mut Parts) {
        let model = &self.origin.resolved.model;
        let here = format!("{}.{there}", self.prefix);
        match callable {
            Callable::Net(index) => {
                let net = &model.nets[index];
                let names = self.bound(net.parameters.iter().map(|p| p.name.text.clone()));
                let parameters = net.parameters.iter().map(|p| self.field(p)).collect();
                let result = self.ty(&net.result);
                let body = net.body.as_ref().map(|body| self.scoped(names, |c| c.block(body)));
                let mut attributes = Vec::new();
                if self.origin.resolved.nets[index].attributes.spectral_norm {
                    attributes.push(Attribute { name: self.named("spectral_norm"), arguments: Vec::new() });
                }
                attributes.push(Attribute { name: self.named("frozen"), arguments: Vec::new() });
                let name = self.named(&here);
                found.nets.push((there.to_string(), Net { name, attributes, parameters, result, body }));
            }
            Callable::Fn(index) => {
                let item = &model.fns[index];
                let names = self.bound(item.parameters.iter().map(|p| p.name.text.clone()));
                let parameter =
                    |c: &mut Self, p: &Param| Param { name: c.named(&p.name.text), ty: p.ty.as_ref().map(|ty| c.ty(ty)) };
                let parameters = item.parameters.iter().map(|p| parameter(self, p)).collect();
                let body = self.scoped(names, |c| c.block(&item.body));
                found.fns.push(Fn { name: self.named(&here), parameters, body });
            }
            Callable::Divergence(index) => {
                let item = &model.divergences[index];
                let value = self.scoped(vec![item.parameter.text.clone()], |c| c.expr(&item.value));
                let conjugate = item.conjugate.as_ref().map(|e| self.expr(e));
                let activation = item.activation.as_ref().map(|e| self.expr(e));
                let (name, parameter) = (self.named(&here), self.named(&item.parameter.text));
                found.divergences.push(Divergence { name, parameter, value, conjugate, activation });
            }
        }
    }

    fn field(&mut self, field: &Field) -> Field {
        Field { name: self.named(&field.name.text), ty: self.ty(&field.ty) }
    }

    fn ty(&mut self, ty: &Type) -> Type {
        match ty {
            Type::Unknown { .. } => Type::Unknown { site: self.site() },
            Type::Tuple { parts, .. } => {
                Type::Tuple { site: self.site(), parts: parts.iter().map(|part| self.ty(part)).collect() }
            }
            Type::Tensor { shape, class, .. } => Type::Tensor {
                site: self.site(),
                shape: shape.iter().map(|dim| self.expr(dim)).collect(),
                class: class.as_ref().map(|class| self.expr(class)),
            },
        }
    }

    fn pattern(&mut self, pattern: &Pattern) -> Pattern {
        match pattern {
            Pattern::Bind { name, mutable } => Pattern::Bind { name: self.named(&name.text), mutable: *mutable },
            Pattern::Ignore { .. } => Pattern::Ignore { site: self.site() },
            Pattern::Tuple { parts, .. } => {
                Pattern::Tuple { site: self.site(), parts: parts.iter().map(|part| self.pattern(part)).collect() }
            }
        }
    }

    fn block(&mut self, block: &Block) -> Block {
        self.scoped(Vec::new(), |c| Block {
            site: c.site(),
            statements: block.statements.iter().map(|statement| c.statement(statement)).collect(),
            value: block.value.as_ref().map(|value| Box::new(c.expr(value))),
        })
    }

    fn statement(&mut self, statement: &Statement) -> Statement {
        match statement {
            Statement::Let { pattern, value } => {
                let value = self.expr(value);
                self.bind(pattern);
                Statement::Let { pattern: self.pattern(pattern), value }
            }
            Statement::Assign { name, op, value } => {
                Statement::Assign { name: self.named(&name.text), op: *op, value: self.expr(value) }
            }
            Statement::Push { name, value } => Statement::Push { name: self.named(&name.text), value: self.expr(value) },
            Statement::For { pattern, over, body } => {
                let over = self.expr(over);
                let names = pattern.names().iter().map(|name| name.text.clone()).collect();
                let pattern = self.pattern(pattern);
                Statement::For { pattern, over, body: self.scoped(names, |c| c.block(body)) }
            }
        }
    }

    fn all(&mut self, exprs: &[Expr]) -> Vec<Expr> {
        exprs.iter().map(|e| self.expr(e)).collect()
    }

    fn boxed(&mut self, expr: &Expr) -> Box<Expr> {
        Box::new(self.expr(expr))
    }

    fn expr(&mut self, expr: &Expr) -> Expr {
        let kind = match &expr.kind {
            ExprKind::Name { name } => self.name(name),
            ExprKind::Number { .. } | ExprKind::Bool { .. } | ExprKind::Unknown => expr.kind.clone(),
            ExprKind::Path { function, arguments } => {
                ExprKind::Path { function: self.origin.functions + function, arguments: self.all(arguments) }
            }
            ExprKind::Binary { op, left, right } => {
                ExprKind::Binary { op: *op, left: self.boxed(left), right: self.boxed(right) }
            }
            ExprKind::Neg { value } => ExprKind::Neg { value: self.boxed(value) },
            ExprKind::Call { name, method, arguments, named } => {
                let named = named.iter().map(|s| Setting { name: self.named(&s.name.text), value: self.expr(&s.value) });
                let named = named.collect();
                // A divergence is called as a function, and its parts as methods of its name.
                let name = match self.origin.resolved.names.callables.get(name) {
                    Some(callable) => self.want(name, *callable),
                    None => name.clone(),
                };
                ExprKind::Call { name, method: *method, arguments: self.all(arguments), named }
            }
            ExprKind::Expectation { value } => ExprKind::Expectation { value: self.boxed(value) },
            ExprKind::Field { value, field } => ExprKind::Field { value: self.boxed(value), field: self.named(&field.text) },
            ExprKind::Part { value, index } => ExprKind::Part { value: self.boxed(value), index: *index },
            ExprKind::Index { value, index } => ExprKind::Index { value: self.boxed(value), index: self.boxed(index) },
            ExprKind::Tuple { parts } => ExprKind::Tuple { parts: self.all(parts) },
            ExprKind::List { items } => ExprKind::List { items: self.all(items) },
            ExprKind::Range { from, to } => {
                ExprKind::Range { from: from.as_ref().map(|e| self.boxed(e)), to: to.as_ref().map(|e| self.boxed(e)) }
            }
            ExprKind::If { condition, then, otherwise } => {
                let condition = self.boxed(condition);
                ExprKind::If { condition, then: self.block(then), otherwise: self.boxed(otherwise) }
            }
            ExprKind::Block { block } => ExprKind::Block { block: self.block(block) },
            ExprKind::Closure { parameters, body } => {
                let names = parameters.iter().flat_map(Pattern::names).map(|name| name.text.clone()).collect();
                let parameters = parameters.iter().map(|p| self.pattern(p)).collect();
                ExprKind::Closure { parameters, body: self.scoped(names, |c| c.boxed(body)) }
            }
        };
        Expr { site: self.site(), kind }
    }

    fn want(&mut self, there: &str, callable: Callable) -> String {
        self.wanted.insert(there.to_string(), callable);
        format!("{}.{there}", self.prefix)
    }

    /// A name of the body: its own, or a number of the other model.
    fn name(&mut self, name: &str) -> ExprKind {
        let own = || ExprKind::Name { name: name.to_string() };
        if self.scopes.iter().flatten().any(|bound| bound == name) {
            return own();
        }
        let resolved = self.origin.resolved;
        match resolved.names.values.get(name) {
            Some(Item::Const(index)) => match resolved.consts.get(*index) {
                Some(known) => match (known.kind, known.value) {
                    (crate::tree::ConstKind::Bool, Some(value)) => ExprKind::Bool { value: value != 0.0 },
                    (_, Some(value)) => ExprKind::Number { value },
                    (_, None) => own(),
                },
                None => own(),
            },
            Some(Item::Hyper(index)) => match self.origin.hypers.get(*index) {
                Some(value) => ExprKind::Number { value: *value },
                None => own(),
            },
            Some(_) => own(),
            None => match resolved.names.callables.get(name) {
                // `d.bound(p, q)`: the divergence is the receiver.
                Some(callable @ Callable::Divergence(_)) => ExprKind::Name { name: self.want(name, *callable) },
                _ => match resolved.model.outer.iter().position(|outer| outer.text == name) {
                    Some(at) => match resolved.outer.get(at).copied().flatten() {
                        Some(value) => ExprKind::Number { value },
                        None => own(),
                    },
                    None => own(),
                },
            },
        }
    }
}
