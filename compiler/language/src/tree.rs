//! A whole model as plain data: what the macro reads from tokens, what its expansion carries, what a build evaluates.
//!
//! Items are sorted by kind; within a kind they stand in source order. Every node has a [`Site`], an index into
//! [`Model::places`] (and, in the macro, into its table of spans). The tree says what was written, not whether it makes sense.

/// Index of a place in the user's source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(pub u32);

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// A name where it is declared or used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Name {
    /// The identifier.
    pub text: String,
    /// Where.
    pub site: Site,
}

/// One `model`.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Model {
    pub name: Name,
    pub consts: Vec<Const>,
    pub hypers: Vec<Hyper>,
    pub groups: Vec<Group>,
    pub noises: Vec<Noise>,
    pub latents: Vec<Latent>,
    pub nets: Vec<Net>,
    pub fns: Vec<Fn>,
    pub lets: Vec<Let>,
    pub divergences: Vec<Divergence>,
    pub players: Vec<Player>,
    pub trains: Vec<Train>,
    pub phases: Vec<Phase>,
    pub metrics: Vec<Metric>,
    pub outputs: Vec<Output>,
    /// Names that stand in items which could not be read; errors about these items have been reported.
    pub unread: Vec<Name>,
    /// Rust constants that the model uses without declaring them.
    pub outer: Vec<Name>,
    /// Paths called with `::`, each once, as written without spaces.
    pub functions: Vec<Name>,
    /// Place of each site.
    pub places: Vec<Place>,
}

impl Model {
    /// The place of a site.
    pub fn place(&self, site: Site) -> Place {
        self.places.get(site.0 as usize).copied().unwrap_or(Place { line: 1, column: 1 })
    }
}

/// The type of a `const`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConstKind {
    Usize,
    F32,
    Bool,
}

/// `const NAME: kind = value;`, or without value: given to `build`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Const {
    pub name: Name,
    pub kind: ConstKind,
    pub value: Option<Expr>,
}

/// `hyper name: f32 = value;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Hyper {
    pub name: Name,
    pub value: Expr,
}

/// `data name { fields }`; `data x: T;` is a group `x` with one field `x`, `single`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Group {
    pub name: Name,
    pub fields: Vec<Field>,
    pub single: bool,
}

/// `name: type`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Field {
    pub name: Name,
    pub ty: Type,
}

/// `noise name: distribution;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Noise {
    pub name: Name,
    pub value: Expr,
}

/// `latent name: type per group = initial;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Latent {
    pub name: Name,
    pub ty: Type,
    pub per: Option<Name>,
    pub initial: Option<Expr>,
}

/// `#[name(arguments)]` on a net.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Attribute {
    pub name: Name,
    pub arguments: Vec<Expr>,
}

/// A net, or an `extern net`, which has no body.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Net {
    pub name: Name,
    pub attributes: Vec<Attribute>,
    pub parameters: Vec<Field>,
    pub result: Type,
    /// None for an `extern net`.
    pub body: Option<Block>,
}

/// `name: type`, the type often left out.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Param {
    pub name: Name,
    pub ty: Option<Type>,
}

/// A `fn`, pasted at each call.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Fn {
    pub name: Name,
    pub parameters: Vec<Param>,
    pub body: Block,
}

/// `let pattern = value;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Let {
    pub pattern: Pattern,
    pub value: Expr,
}

/// `divergence name(parameter) = value, conjugate = |t| …, activation = |v| …;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Divergence {
    pub name: Name,
    pub parameter: Name,
    pub value: Expr,
    pub conjugate: Option<Expr>,
    pub activation: Option<Expr>,
}

/// A player. `min G, max D { V }` makes two, with `game` set.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Player {
    pub name: Name,
    /// Empty: the net or latent of the player's name.
    pub updates: Vec<Name>,
    pub maximize: bool,
    pub body: Block,
    pub game: bool,
}

/// `train { lines }`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Train {
    pub site: Site,
    pub simultaneous: bool,
    pub lines: Vec<TrainLine>,
}

/// `players: optimiser(…), key = value;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct TrainLine {
    pub players: Vec<Name>,
    pub optimiser: Expr,
    pub settings: Vec<Setting>,
}

/// `name = value`, a named argument.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Setting {
    pub name: Name,
    pub value: Expr,
}

/// `phase name: players;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Phase {
    pub name: Name,
    pub players: Vec<Name>,
}

/// `metric name = value;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Metric {
    pub name: Name,
    pub value: Expr,
}

/// `output name(parameters) = value;`
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Output {
    pub name: Name,
    pub parameters: Vec<Param>,
    pub value: Expr,
}

/// A written type.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Type {
    /// `[d0, d1, …]`, perhaps `of class(K)`; `class(K)` alone has no dimensions.
    Tensor { site: Site, shape: Vec<Expr>, class: Option<Expr> },
    /// `(T, U)`
    Tuple { site: Site, parts: Vec<Type> },
    /// Could not be read; agrees with everything.
    Unknown { site: Site },
}

impl Type {
    /// Where it begins.
    pub fn site(&self) -> Site {
        match self {
            Type::Tensor { site, .. } | Type::Tuple { site, .. } | Type::Unknown { site } => *site,
        }
    }
}

/// A pattern.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Pattern {
    Bind { name: Name, mutable: bool },
    Ignore { site: Site },
    Tuple { site: Site, parts: Vec<Pattern> },
}

impl Pattern {
    /// Where it begins.
    pub fn site(&self) -> Site {
        match self {
            Pattern::Bind { name, .. } => name.site,
            Pattern::Ignore { site } | Pattern::Tuple { site, .. } => *site,
        }
    }

    /// The names it binds, from left to right.
    pub fn names(&self) -> Vec<&Name> {
        match self {
            Pattern::Bind { name, .. } => vec![name],
            Pattern::Ignore { .. } => vec![],
            Pattern::Tuple { parts, .. } => parts.iter().flat_map(Pattern::names).collect(),
        }
    }
}

/// `{ statements; value }`
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Block {
    pub site: Site,
    pub statements: Vec<Statement>,
    pub value: Option<Box<Expr>>,
}

/// A statement of a body.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Statement {
    Let {
        pattern: Pattern,
        value: Expr,
    },
    /// `name = value;`, or with an operator, `name += value;`
    Assign {
        name: Name,
        op: Option<Binary>,
        value: Expr,
    },
    /// `name.push(value);`
    Push {
        name: Name,
        value: Expr,
    },
    For {
        pattern: Pattern,
        over: Expr,
        body: Block,
    },
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}

impl Binary {
    /// As written.
    pub fn symbol(self) -> &'static str {
        match self {
            Binary::Add => "+",
            Binary::Sub => "-",
            Binary::Mul => "*",
            Binary::Div => "/",
            Binary::Less => "<",
            Binary::LessEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterEqual => ">=",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
        }
    }
}

/// An expression and where it stands (for a call its name, for an operator the operator).
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Where.
    pub site: Site,
    /// What.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum ExprKind {
    Number {
        value: f64,
    },
    Bool {
        value: bool,
    },
    Name {
        name: String,
    },
    /// `a::b(arguments)`, by its index in [`Model::functions`].
    Path {
        function: usize,
        arguments: Vec<Expr>,
    },
    Binary {
        op: Binary,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Neg {
        value: Box<Expr>,
    },
    /// `name(arguments)`, or as a method, the receiver being the first argument.
    Call {
        name: String,
        method: bool,
        arguments: Vec<Expr>,
        named: Vec<Setting>,
    },
    /// `E[value]`
    Expectation {
        value: Box<Expr>,
    },
    Field {
        value: Box<Expr>,
        field: Name,
    },
    Part {
        value: Box<Expr>,
        index: usize,
    },
    Index {
        value: Box<Expr>,
        index: Box<Expr>,
    },
    Tuple {
        parts: Vec<Expr>,
    },
    List {
        items: Vec<Expr>,
    },
    Range {
        from: Option<Box<Expr>>,
        to: Option<Box<Expr>>,
    },
    If {
        condition: Box<Expr>,
        then: Block,
        otherwise: Box<Expr>,
    },
    Block {
        block: Block,
    },
    Closure {
        parameters: Vec<Pattern>,
        body: Box<Expr>,
    },
    /// Could not be read; an error has been reported.
    Unknown,
}

impl Expr {
    /// The names it uses, locals included.
    pub fn names<'e>(&'e self, out: &mut Vec<&'e str>) {
        match &self.kind {
            ExprKind::Name { name } => out.push(name),
            ExprKind::Number { .. } | ExprKind::Bool { .. } | ExprKind::Unknown => {}
            ExprKind::Path { arguments, .. } => arguments.iter().for_each(|argument| argument.names(out)),
            ExprKind::Binary { left, right, .. } => {
                left.names(out);
                right.names(out);
            }
            ExprKind::Neg { value } | ExprKind::Expectation { value } => value.names(out),
            ExprKind::Field { value, .. } | ExprKind::Part { value, .. } => value.names(out),
            ExprKind::Call { arguments, named, .. } => {
                arguments.iter().chain(named.iter().map(|setting| &setting.value)).for_each(|argument| argument.names(out));
            }
            ExprKind::Index { value, index } => {
                value.names(out);
                index.names(out);
            }
            ExprKind::Tuple { parts } => parts.iter().for_each(|part| part.names(out)),
            ExprKind::List { items } => items.iter().for_each(|item| item.names(out)),
            ExprKind::Range { from, to } => from.iter().chain(to).for_each(|end| end.names(out)),
            ExprKind::If { condition, then, otherwise } => {
                condition.names(out);
                then.names(out);
                otherwise.names(out);
            }
            ExprKind::Block { block } => block.names(out),
            ExprKind::Closure { body, .. } => body.names(out),
        }
    }
}

impl Block {
    /// The names it uses, locals included.
    pub fn names<'e>(&'e self, out: &mut Vec<&'e str>) {
        for statement in &self.statements {
            match statement {
                Statement::Let { value, .. } | Statement::Assign { value, .. } | Statement::Push { value, .. } => {
                    value.names(out)
                }
                Statement::For { over, body, .. } => {
                    over.names(out);
                    body.names(out);
                }
            }
        }
        self.value.iter().for_each(|value| value.names(out));
    }
}
