//! Which name is which: where each is declared, and what nothing uses (rule N6). A walk over names, without types.

use std::collections::BTreeSet;

use crate::tree::{Block, Expr, ExprKind, Model, Name, Param, Pattern, Setting, Site, Statement, Type};

/// Something that nothing uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Unused {
    /// Its name, where it is declared.
    pub name: Name,
    /// A net, fn or divergence: would be called.
    pub callable: bool,
}

/// Everything that a model declares, nothing uses, and whose name does not begin with `_`, in the order of its places.
pub fn unused(model: &Model) -> Vec<Unused> {
    let mut walk = Walk::over(model);
    walk.items();
    let Walk { mut unused, .. } = walk;
    unused.sort_by_key(|found| found.name.site);
    unused
}

/// A name where it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Where.
    pub site: Site,
    /// What it means, as it is declared: an item, a field of a group, a parameter or a local.
    pub of: Name,
}

/// Every use of a declared name, once. What means nothing is left out: it is an error elsewhere.
pub fn uses(model: &Model) -> Vec<Use> {
    let mut walk = Walk::over(model);
    walk.players();
    walk.uses
}

/// The `fn`s that nothing calls.
pub(crate) fn uncalled(model: &Model) -> Vec<usize> {
    let walk = Walk::over(model);
    (0..model.fns.len()).filter(|index| !walk.called.contains(model.fns[*index].name.text.as_str())).collect()
}

/// Names bound in a body, and whether they were read.
struct Local<'m> {
    name: &'m Name,
    read: bool,
}

struct Walk<'m> {
    model: &'m Model,
    scopes: Vec<Vec<Local<'m>>>,
    /// Values of the model that were read, by bare name; fields by `group.field`.
    read: BTreeSet<String>,
    called: BTreeSet<&'m str>,
    unused: Vec<Unused>,
    uses: Vec<Use>,
}

impl<'m> Walk<'m> {
    /// Walks through all bodies: locals are settled then, items are not.
    fn over(model: &'m Model) -> Walk<'m> {
        let mut walk = Walk {
            model,
            scopes: Vec::new(),
            read: BTreeSet::new(),
            called: BTreeSet::new(),
            unused: Vec::new(),
            uses: Vec::new(),
        };
        walk.declarations();
        walk.bodies();
        walk
    }

    fn declarations(&mut self) {
        let model = self.model;
        model.consts.iter().flat_map(|item| &item.value).for_each(|value| self.expression(value));
        model.hypers.iter().for_each(|item| self.expression(&item.value));
        model.groups.iter().flat_map(|group| &group.fields).for_each(|field| self.ty(&field.ty));
        model.noises.iter().for_each(|item| self.expression(&item.value));
        for latent in &model.latents {
            self.ty(&latent.ty);
            latent.initial.iter().for_each(|initial| self.expression(initial));
            if let Some(per) = &latent.per {
                self.whole_group(&per.text);
                self.used(per.site, self.value(&per.text));
            }
        }
        for item in &model.divergences {
            self.scoped([&item.parameter], |walk| walk.expression(&item.value));
            item.conjugate.iter().chain(&item.activation).for_each(|given| self.expression(given));
        }
        for train in &model.trains {
            for line in &train.lines {
                self.expression(&line.optimiser);
                self.settings(&line.settings);
            }
        }
    }

    fn bodies(&mut self) {
        let model = self.model;
        for net in &model.nets {
            net.attributes.iter().flat_map(|attribute| &attribute.arguments).for_each(|value| self.expression(value));
            net.parameters.iter().for_each(|parameter| self.ty(&parameter.ty));
            self.ty(&net.result);
            if let Some(body) = &net.body {
                self.scoped(net.parameters.iter().map(|parameter| &parameter.name), |walk| walk.block(body));
            }
        }
        for item in &model.fns {
            self.types(&item.parameters);
            self.scoped(item.parameters.iter().map(|parameter| &parameter.name), |walk| walk.block(&item.body));
        }
        model.lets.iter().for_each(|item| self.expression(&item.value));
        let mut games = BTreeSet::new();
        for player in &model.players {
            for name in &player.updates {
                self.read(&name.text);
                self.called.insert(&name.text);
                let net = model.nets.iter().map(|net| &net.name).find(|net| net.text == name.text);
                self.used(name.site, net.or_else(|| self.value(&name.text)));
            }
            // Both sides of a game have one body.
            if !player.game || games.insert(player.body.site) {
                self.block(&player.body);
            }
            if player.updates.is_empty() {
                self.read(&player.name.text);
                self.called.insert(&player.name.text);
            }
        }
        model.metrics.iter().for_each(|item| self.expression(&item.value));
        for output in &model.outputs {
            self.types(&output.parameters);
            // Without a type a parameter takes that of the model's value of its name (rule N4).
            output.parameters.iter().filter(|p| p.ty.is_none()).for_each(|p| self.read(&p.name.text));
            self.scoped(output.parameters.iter().map(|p| &p.name), |walk| walk.expression(&output.value));
        }
    }

    /// Players where lines of `train` and phases name them.
    fn players(&mut self) {
        let model = self.model;
        let lines = model.trains.iter().flat_map(|train| &train.lines).flat_map(|line| &line.players);
        for name in lines.chain(model.phases.iter().flat_map(|phase| &phase.players)) {
            let player = model.players.iter().map(|player| &player.name).find(|player| player.text == name.text);
            self.used(name.site, player);
        }
    }

    /// Reports the items that were neither read nor called.
    fn items(&mut self) {
        let model = self.model;
        let values = (model.consts.iter().map(|item| &item.name))
            .chain(model.hypers.iter().map(|item| &item.name))
            .chain(model.noises.iter().map(|item| &item.name))
            .chain(model.latents.iter().map(|item| &item.name))
            .chain(model.lets.iter().flat_map(|item| item.pattern.names()));
        let unread: Vec<&Name> = values.filter(|name| !self.read.contains(&name.text)).collect();
        unread.into_iter().for_each(|name| self.report(name, false));
        for group in &model.groups {
            for field in &group.fields {
                if !self.read.contains(&full(&group.name.text, &field.name.text)) {
                    self.report(&field.name, false);
                }
            }
        }
        let callables = (model.nets.iter().map(|item| &item.name))
            .chain(model.fns.iter().map(|item| &item.name))
            .chain(model.divergences.iter().map(|item| &item.name));
        let uncalled: Vec<&Name> = callables.filter(|name| !self.called.contains(name.text.as_str())).collect();
        uncalled.into_iter().for_each(|name| self.report(name, true));
    }

    fn report(&mut self, name: &Name, callable: bool) {
        if !name.text.starts_with('_') {
            self.unused.push(Unused { name: name.clone(), callable });
        }
    }

    /// A body with names of its own.
    fn scoped(&mut self, names: impl IntoIterator<Item = &'m Name>, body: impl FnOnce(&mut Self)) {
        self.scopes.push(names.into_iter().map(|name| Local { name, read: false }).collect());
        body(self);
        for local in self.scopes.pop().unwrap_or_default() {
            if !local.read {
                self.report(local.name, false);
            }
        }
    }

    fn bind(&mut self, pattern: &'m Pattern) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(pattern.names().into_iter().map(|name| Local { name, read: false }));
        }
    }

    /// A name that is read: a local, else a value of the model.
    fn name(&mut self, name: &str, site: Site) {
        self.used(site, self.local(name).or_else(|| self.value(name)));
        let local = self.scopes.iter_mut().rev().flat_map(|scope| scope.iter_mut().rev());
        match local.into_iter().find(|local| local.name.text == name) {
            Some(local) => local.read = true,
            None => self.read(name),
        }
    }

    fn local(&self, name: &str) -> Option<&'m Name> {
        let locals = self.scopes.iter().rev().flat_map(|scope| scope.iter().rev()).map(|local| local.name);
        locals.into_iter().find(|local| local.text == name)
    }

    /// The value of the model that has this name.
    fn value(&self, name: &str) -> Option<&'m Name> {
        let model = self.model;
        let values = (model.consts.iter().map(|item| &item.name))
            .chain(model.hypers.iter().map(|item| &item.name))
            .chain(model.groups.iter().map(|item| &item.name))
            .chain(model.noises.iter().map(|item| &item.name))
            .chain(model.latents.iter().map(|item| &item.name))
            .chain(model.lets.iter().flat_map(|item| item.pattern.names()))
            .chain(model.groups.iter().flat_map(|group| &group.fields).map(|field| &field.name));
        values.into_iter().find(|value| value.text == name)
    }

    /// The net, fn or divergence that has this name.
    fn callable(&self, name: &str) -> Option<&'m Name> {
        let model = self.model;
        let callables = (model.nets.iter().map(|item| &item.name))
            .chain(model.fns.iter().map(|item| &item.name))
            .chain(model.divergences.iter().map(|item| &item.name));
        callables.into_iter().find(|callable| callable.text == name)
    }

    fn used(&mut self, site: Site, of: Option<&Name>) {
        self.uses.extend(of.map(|of| Use { site, of: of.clone() }));
    }

    /// A value of the model that is read.
    fn read(&mut self, name: &str) {
        self.read.insert(name.to_string());
        let model = self.model;
        for group in &model.groups {
            for field in group.fields.iter().filter(|field| field.name.text == name) {
                self.read.insert(full(&group.name.text, &field.name.text));
            }
        }
    }

    fn whole_group(&mut self, name: &str) {
        let model = self.model;
        for group in model.groups.iter().filter(|group| group.name.text == name) {
            for field in &group.fields {
                self.read.insert(full(name, &field.name.text));
            }
        }
    }

    fn block(&mut self, block: &'m Block) {
        self.scoped([], |walk| {
            block.statements.iter().for_each(|statement| walk.statement(statement));
            block.value.iter().for_each(|value| walk.expression(value));
        });
    }

    fn statement(&mut self, statement: &'m Statement) {
        match statement {
            Statement::Let { pattern, value } => {
                self.expression(value);
                self.bind(pattern);
            }
            // To be changed is not to be used.
            Statement::Assign { name, value, .. } | Statement::Push { name, value } => {
                self.used(name.site, self.local(&name.text));
                self.expression(value);
            }
            Statement::For { pattern, over, body } => {
                self.expression(over);
                self.scoped(pattern.names(), |walk| walk.block(body));
            }
        }
    }

    fn settings(&mut self, settings: &'m [Setting]) {
        settings.iter().for_each(|setting| self.expression(&setting.value));
    }

    fn types(&mut self, parameters: &'m [Param]) {
        parameters.iter().flat_map(|parameter| &parameter.ty).for_each(|ty| self.ty(ty));
    }

    fn ty(&mut self, ty: &'m Type) {
        match ty {
            Type::Tensor { shape, class, .. } => shape.iter().chain(class).for_each(|size| self.expression(size)),
            Type::Tuple { parts, .. } => parts.iter().for_each(|part| self.ty(part)),
            Type::Unknown { .. } => {}
        }
    }

    fn expression(&mut self, expr: &'m Expr) {
        match &expr.kind {
            ExprKind::Name { name } => self.name(name, expr.site),
            ExprKind::Number { .. } | ExprKind::Bool { .. } | ExprKind::Unknown => {}
            ExprKind::Path { arguments, .. } => arguments.iter().for_each(|argument| self.expression(argument)),
            ExprKind::Binary { left, right, .. } => {
                self.expression(left);
                self.expression(right);
            }
            ExprKind::Neg { value } | ExprKind::Expectation { value } | ExprKind::Part { value, .. } => {
                self.expression(value)
            }
            ExprKind::Field { value, field } => match &value.kind {
                ExprKind::Name { name } if self.is_group(name) => {
                    self.read.insert(full(name, &field.text));
                    self.used(value.site, self.value(name));
                    let group = self.model.groups.iter().find(|group| group.name.text == *name);
                    let fields = group.into_iter().flat_map(|group| &group.fields).map(|field| &field.name);
                    self.used(field.site, fields.into_iter().find(|declared| declared.text == field.text));
                }
                _ => self.expression(value),
            },
            ExprKind::Call { name, arguments, named, .. } => {
                self.called.insert(name);
                self.used(expr.site, self.callable(name));
                // `d.conjugate(t)` names a divergence as its receiver.
                if let Some((ExprKind::Name { name }, site)) = arguments.first().map(|first| (&first.kind, first.site)) {
                    self.called.insert(name);
                    let value = self.local(name).or_else(|| self.value(name));
                    if value.is_none() {
                        self.used(site, self.callable(name));
                    }
                }
                arguments.iter().for_each(|argument| self.expression(argument));
                self.settings(named);
            }
            ExprKind::Index { value, index } => {
                self.expression(value);
                self.expression(index);
            }
            ExprKind::Tuple { parts: all } | ExprKind::List { items: all } => {
                all.iter().for_each(|part| self.expression(part))
            }
            ExprKind::Range { from, to } => from.iter().chain(to).for_each(|end| self.expression(end)),
            ExprKind::If { condition, then, otherwise } => {
                self.expression(condition);
                self.block(then);
                self.expression(otherwise);
            }
            ExprKind::Block { block } => self.block(block),
            ExprKind::Closure { parameters, body } => {
                let names: Vec<&Name> = parameters.iter().flat_map(Pattern::names).collect();
                self.scoped(names, |walk| walk.expression(body));
            }
        }
    }

    /// Whether the name is that of a data group and of no local.
    fn is_group(&self, name: &str) -> bool {
        let local = self.scopes.iter().flatten().any(|local| local.name.text == name);
        !local && self.model.groups.iter().any(|group| group.name.text == name)
    }
}

fn full(group: &str, field: &str) -> String {
    format!("{group}.{field}")
}
