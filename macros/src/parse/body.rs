//! Bodies: blocks, statements, expressions, patterns. A subset of Rust's, read by syn; all else is an error at its token.

use super::Parser;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use saddlepoint_language::tree::{Binary, Block, Expr, ExprKind, Name, Pattern, Statement};
use syn::spanned::Spanned;

impl Parser {
    /// `{ … }` and nothing after it. A body that cannot be read is reported and of unknown value: its item stays declared.
    pub(super) fn block_tokens(&mut self, tokens: TokenStream) -> Block {
        self.read_block(tokens).unwrap_or_else(|error| {
            self.syntax(&error);
            let value = self.unknown(error.span());
            Block { site: value.site, statements: Vec::new(), value: Some(Box::new(value)) }
        })
    }

    fn read_block(&mut self, tokens: TokenStream) -> syn::Result<Block> {
        let mut rest = tokens.into_iter();
        match (rest.next(), rest.next()) {
            (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::Brace => {
                let statements = syn::parse::Parser::parse2(syn::Block::parse_within, group.stream());
                let statements = statements.map_err(|error| {
                    // An error at the end of the body belongs to its closing brace.
                    let at_end = error.span().start() == Span::call_site().start();
                    if at_end { syn::Error::new(group.span_close(), error.to_string()) } else { error }
                })?;
                Ok(self.block(&statements, group.span()))
            }
            (Some(other), _) => Err(syn::Error::new(other.span(), "expected a body in braces")),
            (None, _) => Err(syn::Error::new(Span::call_site(), "expected a body in braces")),
        }
    }

    fn block(&mut self, statements: &[syn::Stmt], span: Span) -> Block {
        let mut block = Block { site: self.site(span), ..Block::default() };
        let last = statements.len().saturating_sub(1);
        for (i, statement) in statements.iter().enumerate() {
            match statement {
                syn::Stmt::Local(local) => match &local.init {
                    Some(init) if init.diverge.is_none() => {
                        let value = self.expression(&init.expr);
                        let pattern = self.pattern(&local.pat);
                        block.statements.push(Statement::Let { pattern, value });
                    }
                    _ => self.error(local.span(), "a `let` has a value: `let h = …;`"),
                },
                syn::Stmt::Expr(syn::Expr::ForLoop(looped), _) => {
                    let pattern = self.pattern(&looped.pat);
                    let over = self.expression(&looped.expr);
                    let body = self.block(&looped.body.stmts, looped.body.span());
                    block.statements.push(Statement::For { pattern, over, body });
                }
                syn::Stmt::Expr(expr, None) if i == last => block.value = Some(Box::new(self.expression(expr))),
                syn::Stmt::Expr(expr, semi) => {
                    if let Some(statement) = self.statement(expr) {
                        block.statements.push(statement);
                    } else {
                        let message = match expr {
                            syn::Expr::If(_) => {
                                "an `if` chooses a value and is no statement: `let h = if c { … } else { … };`"
                            }
                            syn::Expr::While(_) | syn::Expr::Loop(_) | syn::Expr::Return(_) => foreign(expr),
                            _ if semi.is_some() && i == last => {
                                "this value is not used: leave out the `;` to make it the body's value"
                            }
                            _ => "this value is not used: bind it, `let h = …;`, or leave it out",
                        };
                        self.error(expr.span(), message);
                    }
                }
                other => self.error(other.span(), "bodies hold `let`, assignments, `for`, `list.push(…)` and a final value"),
            }
        }
        block
    }

    /// An assignment or a push; `None` for a mere value.
    fn statement(&mut self, expr: &syn::Expr) -> Option<Statement> {
        match expr {
            syn::Expr::Assign(assign) => {
                let name = self.assigned(&assign.left)?;
                Some(Statement::Assign { name, op: None, value: self.expression(&assign.right) })
            }
            syn::Expr::Binary(binary) => {
                let op = match binary.op {
                    syn::BinOp::AddAssign(_) => Binary::Add,
                    syn::BinOp::SubAssign(_) => Binary::Sub,
                    syn::BinOp::MulAssign(_) => Binary::Mul,
                    _ => return None,
                };
                let name = self.assigned(&binary.left)?;
                Some(Statement::Assign { name, op: Some(op), value: self.expression(&binary.right) })
            }
            syn::Expr::MethodCall(call) if call.method == "push" && call.args.len() == 1 => {
                let name = self.assigned(&call.receiver)?;
                Some(Statement::Push { name, value: self.expression(&call.args[0]) })
            }
            _ => None,
        }
    }

    fn assigned(&mut self, expr: &syn::Expr) -> Option<Name> {
        if let syn::Expr::Path(path) = expr
            && let Some(ident) = path.path.get_ident()
        {
            return Some(self.name(ident));
        }
        self.error(expr.span(), "only a `let mut` variable can be changed");
        None
    }

    /// A pattern of a `let`, `for` or closure.
    pub(super) fn pattern(&mut self, pattern: &syn::Pat) -> Pattern {
        match pattern {
            syn::Pat::Ident(p) if p.by_ref.is_none() && p.subpat.is_none() => {
                self.bound.insert(p.ident.to_string());
                Pattern::Bind { name: self.name(&p.ident), mutable: p.mutability.is_some() }
            }
            syn::Pat::Wild(p) => Pattern::Ignore { site: self.site(p.span()) },
            syn::Pat::Paren(p) => self.pattern(&p.pat),
            syn::Pat::Tuple(p) => {
                let site = self.site(p.span());
                Pattern::Tuple { site, parts: p.elems.iter().map(|e| self.pattern(e)).collect() }
            }
            other => {
                self.error(other.span(), "a pattern is a name, `_`, or a tuple of patterns");
                Pattern::Ignore { site: self.site(other.span()) }
            }
        }
    }

    /// An expression.
    pub(super) fn expression(&mut self, expr: &syn::Expr) -> Expr {
        let (span, kind) = match expr {
            syn::Expr::Lit(literal) => (literal.span(), self.literal(&literal.lit)),
            syn::Expr::Path(path) => match path.path.get_ident() {
                Some(ident) => {
                    self.maybe_outer(ident);
                    (ident.span(), ExprKind::Name { name: ident.to_string() })
                }
                None => {
                    self.error(path.span(), "a path with `::` is a Rust function and is called: `path::to::loss(x)`");
                    return self.unknown(path.span());
                }
            },
            syn::Expr::Paren(inner) => return self.expression(&inner.expr),
            syn::Expr::Group(inner) => return self.expression(&inner.expr),
            syn::Expr::Binary(binary) => {
                let Some(op) = operator(&binary.op) else {
                    self.error(binary.op.span(), foreign_operator(&binary.op));
                    return self.unknown(binary.op.span());
                };
                let (left, right) = (Box::new(self.expression(&binary.left)), Box::new(self.expression(&binary.right)));
                (binary.op.span(), ExprKind::Binary { op, left, right })
            }
            syn::Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Deref(_)) => {
                self.error(unary.op.span(), "nothing is dereferenced here; a power is `square(x)` or `pow(x, 3)`");
                return self.unknown(unary.op.span());
            }
            syn::Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => {
                (unary.op.span(), ExprKind::Neg { value: Box::new(self.expression(&unary.expr)) })
            }
            syn::Expr::Call(call) => return self.call(call),
            syn::Expr::MethodCall(call) => {
                if let Some(turbofish) = &call.turbofish {
                    self.error(turbofish.span(), "functions of the language take no type arguments");
                }
                let receiver = self.expression(&call.receiver);
                let (mut arguments, named) = self.arguments(&call.args);
                arguments.insert(0, receiver);
                (call.method.span(), ExprKind::Call { name: call.method.to_string(), method: true, arguments, named })
            }
            syn::Expr::Field(field) => {
                let value = Box::new(self.expression(&field.base));
                match &field.member {
                    syn::Member::Named(name) => (name.span(), ExprKind::Field { value, field: self.name(name) }),
                    syn::Member::Unnamed(index) => (index.span, ExprKind::Part { value, index: index.index as usize }),
                }
            }
            syn::Expr::Index(index) => {
                let expectation = matches!(&*index.expr, syn::Expr::Path(p) if p.path.is_ident("E"));
                if expectation {
                    (index.expr.span(), ExprKind::Expectation { value: Box::new(self.expression(&index.index)) })
                } else {
                    let value = Box::new(self.expression(&index.expr));
                    (index.expr.span(), ExprKind::Index { value, index: Box::new(self.expression(&index.index)) })
                }
            }
            syn::Expr::Tuple(tuple) => {
                (tuple.span(), ExprKind::Tuple { parts: tuple.elems.iter().map(|e| self.expression(e)).collect() })
            }
            syn::Expr::Array(array) => {
                (array.span(), ExprKind::List { items: array.elems.iter().map(|e| self.expression(e)).collect() })
            }
            syn::Expr::Range(range) => {
                if let syn::RangeLimits::Closed(_) = range.limits {
                    self.error(range.span(), "ranges are half-open: `a..b`");
                }
                let from = range.start.as_ref().map(|e| Box::new(self.expression(e)));
                let to = range.end.as_ref().map(|e| Box::new(self.expression(e)));
                (range.span(), ExprKind::Range { from, to })
            }
            syn::Expr::If(branch) => return self.branch(branch),
            syn::Expr::Block(block) => {
                let block_tree = self.block(&block.block.stmts, block.span());
                (block.span(), ExprKind::Block { block: block_tree })
            }
            syn::Expr::Closure(closure) => {
                let parameters = closure.inputs.iter().map(|p| self.pattern(p)).collect();
                (closure.span(), ExprKind::Closure { parameters, body: Box::new(self.expression(&closure.body)) })
            }
            other => {
                self.error(other.span(), foreign(other));
                return self.unknown(other.span());
            }
        };
        Expr { site: self.site(span), kind }
    }

    fn call(&mut self, call: &syn::ExprCall) -> Expr {
        let syn::Expr::Path(path) = &*call.func else {
            self.error(call.func.span(), "only nets, functions and paths can be called, by name");
            return self.unknown(call.func.span());
        };
        if let Some(ident) = path.path.get_ident() {
            if ident == "E" {
                let message = "the expectation is written with square brackets: `E[…]`";
                self.error(ident.span(), message);
                return self.unknown(ident.span());
            }
            let (arguments, named) = self.arguments(&call.args);
            let kind = ExprKind::Call { name: ident.to_string(), method: false, arguments, named };
            return Expr { site: self.site(ident.span()), kind };
        }
        let (arguments, named) = self.arguments(&call.args);
        if let Some(first) = named.first() {
            let message = "a Rust function takes no named arguments";
            self.parsed.diagnostics.push(saddlepoint_language::Diagnostic::new(first.name.site, message));
        }
        let function = self.function(&path.path, arguments.len());
        Expr { site: self.site(path.span()), kind: ExprKind::Path { function, arguments } }
    }

    fn arguments(
        &mut self,
        all: &syn::punctuated::Punctuated<syn::Expr, syn::Token![,]>,
    ) -> (Vec<Expr>, Vec<saddlepoint_language::tree::Setting>) {
        let (mut arguments, mut named) = (Vec::new(), Vec::new());
        for argument in all {
            match argument {
                syn::Expr::Assign(_) => named.extend(self.setting(argument)),
                other if named.is_empty() => arguments.push(self.expression(other)),
                other => self.error(other.span(), "named arguments (`kernel = 4`) come last"),
            }
        }
        (arguments, named)
    }

    fn branch(&mut self, branch: &syn::ExprIf) -> Expr {
        let site = self.site(branch.if_token.span());
        let condition = Box::new(self.expression(&branch.cond));
        let then = self.block(&branch.then_branch.stmts, branch.then_branch.span());
        let otherwise = match &branch.else_branch {
            Some((_, otherwise)) => self.expression(otherwise),
            None => {
                self.error(branch.if_token.span(), "an `if` has a value: add `else { … }`");
                self.unknown(branch.if_token.span())
            }
        };
        Expr { site, kind: ExprKind::If { condition, then, otherwise: Box::new(otherwise) } }
    }

    fn literal(&mut self, literal: &syn::Lit) -> ExprKind {
        let number = |text: &str| text.parse::<f64>().ok();
        let (value, suffix) = match literal {
            syn::Lit::Int(int) => (number(int.base10_digits()), int.suffix().to_string()),
            syn::Lit::Float(float) => (number(float.base10_digits()), float.suffix().to_string()),
            syn::Lit::Bool(flag) => return ExprKind::Bool { value: flag.value },
            _ => (None, String::new()),
        };
        if !suffix.is_empty() {
            self.error(literal.span(), format!("numbers have no type here: leave out `{suffix}`"));
        }
        match value {
            Some(value) => ExprKind::Number { value },
            None => {
                let message = match literal {
                    syn::Lit::Str(text) if text.value().parse::<f64>().is_ok() => {
                        format!("numbers are written without quotes: `{}`", text.value())
                    }
                    _ => "literals are numbers, `true` and `false`".to_string(),
                };
                self.error(literal.span(), message);
                ExprKind::Unknown
            }
        }
    }
}

/// What to write in place of an expression of Rust that the language has not.
fn foreign(expr: &syn::Expr) -> &'static str {
    match expr {
        syn::Expr::Reference(_) => "values are never borrowed here: leave out the `&`",
        syn::Expr::Return(_) => "the value of a body is its last expression, without `;`: leave out `return`",
        syn::Expr::Cast(_) => "numbers have no type here: leave out `as …`; `one_hot()` makes numbers of a class",
        syn::Expr::While(_) | syn::Expr::Loop(_) | syn::Expr::Break(_) | syn::Expr::Continue(_) => {
            "the only loop is `for i in 0..n { … }`, with `n` known at compile time; it is unrolled"
        }
        syn::Expr::Match(_) => "there is no `match`: constants choose by `if`, values by `select(c, a, b)`",
        syn::Expr::Macro(_) => "no macro runs inside of a model; what is to be seen is a `metric`",
        syn::Expr::Unary(_) => "there is no `!`: compare, `c == 0`, or exchange the branches of `select(c, a, b)`",
        syn::Expr::Unsafe(_) | syn::Expr::Async(_) | syn::Expr::Await(_) | syn::Expr::Try(_) => {
            "a model describes values, it does not run: leave this out"
        }
        syn::Expr::Struct(_) => "there are no structs here: several values are a tuple, `(a, b)`",
        syn::Expr::Repeat(_) => "an array of one value is `zeros([n])`, `ones([n])`, or `copies(x, n)`",
        _ => "this is Rust, but not part of the language of models",
    }
}

fn foreign_operator(op: &syn::BinOp) -> &'static str {
    match op {
        syn::BinOp::BitXor(_) => "there is no `^`: a power is `square(x)` or `pow(x, 3)`",
        syn::BinOp::Rem(_) => "there is no `%`: write `x - n * floor(x / n)`",
        syn::BinOp::And(_) | syn::BinOp::BitAnd(_) => "conditions are numbers, 0 or 1: both hold where `a * b` is 1",
        syn::BinOp::Or(_) | syn::BinOp::BitOr(_) => "conditions are numbers, 0 or 1: one holds where `max(a, b)` is 1",
        _ => "the operators are + - * / < <= > >= == !=",
    }
}

fn operator(op: &syn::BinOp) -> Option<Binary> {
    Some(match op {
        syn::BinOp::Add(_) => Binary::Add,
        syn::BinOp::Sub(_) => Binary::Sub,
        syn::BinOp::Mul(_) => Binary::Mul,
        syn::BinOp::Div(_) => Binary::Div,
        syn::BinOp::Lt(_) => Binary::Less,
        syn::BinOp::Le(_) => Binary::LessEqual,
        syn::BinOp::Gt(_) => Binary::Greater,
        syn::BinOp::Ge(_) => Binary::GreaterEqual,
        syn::BinOp::Eq(_) => Binary::Equal,
        syn::BinOp::Ne(_) => Binary::NotEqual,
        _ => return None,
    })
}
