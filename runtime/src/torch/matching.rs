//! Which entry of a state dict is which parameter of a net, decided by names, order and shapes.
//!
//! In: shapes of both sides. Out: pairs that cover both sides completely, each of equal shape, or one message that names what
//! does not agree. Nothing is guessed: where several assignments fit, none is taken.

use super::names::TorchNames;
use std::collections::{BTreeMap, BTreeSet};

/// Shapes of what a module or layer holds, by part: `weight`, `bias`, `running_mean`, `running_var`.
type Parts = BTreeMap<String, Vec<usize>>;

/// A layer with parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerParts {
    /// Its name within the net, such as `dense_0`.
    pub name: String,
    /// What it holds.
    pub parts: Parts,
}

/// Parts that layers of both sides have. (Sequences of PyTorch's recurrent modules add the number of the module's layer,
/// `weight_ih_l0`: pairs of single entries name them.)
const PARTS: [&str; 8] = ["weight", "bias", "running_mean", "running_var", "weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/// The modules of a state dict with their layers of the net, one for one, as [`TorchNames::pairs`] would say them. Entries come
/// without prefix, and without counters and what is skipped.
pub(crate) fn assign(
    net: &str,
    layers: &[LayerParts],
    entries: &BTreeMap<String, Vec<usize>>,
    names: &TorchNames,
) -> Result<Vec<(String, String)>, String> {
    let mut entries = entries.clone();
    let mut layers = layers.to_vec();
    let single = singles(net, &mut layers, &mut entries, names)?;
    let modules = modules(net, entries)?;
    let modular = names.pairs.iter().filter(|(_, layer)| !layer.contains('.'));
    let given: BTreeMap<&str, &str> = modular.map(|(module, layer)| (module.as_str(), layer.as_str())).collect();
    let side = Sides { net, layers: &layers, modules: &modules };
    let own = modules.len() == layers.len() && layers.iter().all(|layer| modules.contains_key(&layer.name));
    let mut pairs = if !names.pairs.is_empty() {
        side.by_pairs(&given)?
    } else if own {
        side.by_pairs(&layers.iter().map(|layer| (layer.name.as_str(), layer.name.as_str())).collect())?
    } else if modules.keys().map(|name| skeleton(name)).collect::<BTreeSet<_>>().len() <= 1 {
        side.by_position()?
    } else {
        side.by_shape()?
    };
    pairs.extend(single);
    Ok(pairs)
}

/// Takes out the pairs of single entries and single parameters.
fn singles(
    net: &str,
    layers: &mut Vec<LayerParts>,
    entries: &mut BTreeMap<String, Vec<usize>>,
    names: &TorchNames,
) -> Result<Vec<(String, String)>, String> {
    let mut taken = Vec::new();
    for (entry, parameter) in &names.pairs {
        let Some((layer, part)) = parameter.split_once('.') else { continue };
        let found = layers.iter_mut().find(|l| l.name == layer).and_then(|l| l.parts.remove(part));
        let wanted = found.ok_or_else(|| format!("the net `{net}` has no parameter `{parameter}`, which the pairs name"))?;
        let shape = entries.remove(entry).ok_or_else(|| format!("the file has no entry `{entry}`, which the pairs name"))?;
        if shape != wanted {
            return Err(differ(entry, &shape, &format!("{net}.{parameter}"), &wanted));
        }
        taken.push((entry.clone(), parameter.clone()));
    }
    layers.retain(|layer| !layer.parts.is_empty());
    Ok(taken)
}

/// Entries by module: `0.weight` is the weight of `0`, a bare `weight` that of the module without name.
fn modules(net: &str, entries: BTreeMap<String, Vec<usize>>) -> Result<BTreeMap<String, Parts>, String> {
    let mut modules: BTreeMap<String, Parts> = BTreeMap::new();
    for (name, shape) in entries {
        let (module, part) = name.rsplit_once('.').unwrap_or(("", &name));
        if !PARTS.contains(&part) {
            return Err(format!(
                "the entry `{name}` {shape:?} is of a kind that the net `{net}` does not have (its layers hold {}); if the net \
                 does not need it, `TorchNames::skip` leaves it out, and a reparametrisation (spectral or weight norm) is removed \
                 in PyTorch first",
                PARTS.join(", ")
            ));
        }
        modules.entry(module.to_string()).or_default().insert(part.to_string(), shape);
    }
    Ok(modules)
}

struct Sides<'a> {
    net: &'a str,
    layers: &'a [LayerParts],
    modules: &'a BTreeMap<String, Parts>,
}

impl Sides<'_> {
    fn by_pairs(&self, given: &BTreeMap<&str, &str>) -> Result<Vec<(String, String)>, String> {
        let net = self.net;
        let mut pairs = Vec::new();
        for (module, layer) in given {
            let Some(found) = self.layers.iter().find(|l| l.name == *layer) else {
                let known: Vec<&str> = self.layers.iter().map(|l| l.name.as_str()).collect();
                return Err(format!("the net `{net}` has no layer `{layer}` with parameters; it has {}", known.join(", ")));
            };
            let parts =
                self.modules.get(*module).ok_or_else(|| format!("the file has no entry of the module `{module}`"))?;
            self.agree(module, parts, found)?;
            if let Some((other, _)) = pairs.iter().find(|(_, taken): &&(String, String)| taken == layer) {
                return Err(format!("the modules `{other}` and `{module}` are both given to the layer `{net}.{layer}`"));
            }
            pairs.push((module.to_string(), layer.to_string()));
        }
        if let Some((module, parts)) = self.modules.iter().find(|(module, _)| !given.contains_key(module.as_str())) {
            return Err(format!("{} is none of the net `{net}`: the pairs do not name its module", entry(module, parts)));
        }
        match self.layers.iter().find(|layer| !pairs.iter().any(|(_, taken)| *taken == layer.name)) {
            Some(layer) => Err(format!("{} is given no entry: the pairs do not name its layer", self.parameter(layer))),
            None => Ok(pairs),
        }
    }

    fn by_position(&self) -> Result<Vec<(String, String)>, String> {
        let mut modules: Vec<(&String, &Parts)> = self.modules.iter().collect();
        modules.sort_by_key(|(name, _)| numbers(name));
        let mut pairs = Vec::new();
        for (layer, (module, parts)) in self.layers.iter().zip(&modules) {
            self.agree(module, parts, layer).map_err(|message| {
                format!(
                    "{message} (modules and layers were taken in order; if theirs differs, say it with `TorchNames::pairs`)"
                )
            })?;
            pairs.push((module.to_string(), layer.name.clone()));
        }
        let (ours, theirs) = (self.layers.get(modules.len()), modules.get(self.layers.len()));
        match (ours, theirs) {
            (Some(layer), _) => Err(format!("{} is given no entry: the file ends before it", self.parameter(layer))),
            (_, Some((module, parts))) => {
                Err(format!("{} is none of the net `{}`: its last layer has been filled", entry(module, parts), self.net))
            }
            _ => Ok(pairs),
        }
    }

    fn by_shape(&self) -> Result<Vec<(String, String)>, String> {
        let mut alike: BTreeMap<&Parts, (Vec<&String>, Vec<&LayerParts>)> = BTreeMap::new();
        self.modules.iter().for_each(|(module, parts)| alike.entry(parts).or_default().0.push(module));
        self.layers.iter().for_each(|layer| alike.entry(&layer.parts).or_default().1.push(layer));
        let unequal = || alike.values().filter(|(modules, layers)| modules.len() != layers.len());
        // What is left over on one side is the better described by what is left over on the other.
        let theirs = unequal().find_map(|(modules, layers)| modules.get(layers.len()));
        let ours: Vec<&LayerParts> = unequal().filter_map(|(modules, layers)| layers.get(modules.len()).copied()).collect();
        if let Some(module) = theirs {
            let parts = &self.modules[*module];
            let near = |layer: &&&LayerParts| {
                layer.parts.keys().eq(parts.keys()) && layer.parts.values().map(Vec::len).eq(parts.values().map(Vec::len))
            };
            return Err(match ours.iter().find(near).or(ours.first()) {
                Some(layer) => self.agree(module, parts, layer).err().unwrap_or_default(),
                None => format!("{} fits no layer of the net `{}` that is left", entry(module, parts), self.net),
            });
        }
        if let Some(layer) = ours.first() {
            return Err(format!("{} is given no entry: none of its shape is left in the file", self.parameter(layer)));
        }
        let mut pairs = Vec::new();
        for (modules, layers) in alike.values_mut() {
            if modules.iter().map(|name| skeleton(name)).collect::<BTreeSet<_>>().len() > 1 {
                let list = |names: Vec<&str>| names.join("`, `");
                let theirs = list(modules.iter().map(|name| name.as_str()).collect());
                let ours = list(layers.iter().map(|layer| layer.name.as_str()).collect());
                return Err(format!(
                    "the modules `{theirs}` have the same shapes, and their names do not tell which of the layers `{ours}` of \
                     the net `{}` they are: say it with `TorchNames::pairs([(\"{}\", \"{}\"), …])`",
                    self.net, modules[0], layers[0].name
                ));
            }
            modules.sort_by_key(|name| numbers(name));
            pairs.extend(modules.iter().zip(layers).map(|(module, layer)| (module.to_string(), layer.name.clone())));
        }
        Ok(pairs)
    }

    /// Whether a module holds exactly what a layer does; else the first part that differs, with both names and shapes.
    fn agree(&self, module: &str, parts: &Parts, layer: &LayerParts) -> Result<(), String> {
        let ours = |part: &str| format!("{}.{}.{part}", self.net, layer.name);
        // The weight, last of the names, says most.
        for (part, wanted) in layer.parts.iter().rev() {
            match parts.get(part) {
                None => {
                    let (module, theirs) = (entry(module, parts), joined(module, part));
                    return Err(format!("`{}` {wanted:?} is given no entry `{theirs}`: {module} is there", ours(part)));
                }
                Some(shape) if shape != wanted => return Err(differ(&joined(module, part), shape, &ours(part), wanted)),
                Some(_) => {}
            }
        }
        match parts.iter().find(|(part, _)| !layer.parts.contains_key(*part)) {
            Some((part, shape)) => Err(format!(
                "the entry `{}` {shape:?} has no counterpart: the layer `{}.{}` has {}",
                joined(module, part),
                self.net,
                layer.name,
                layer.parts.iter().map(|(part, shape)| format!("{part} {shape:?}")).collect::<Vec<_>>().join(", ")
            )),
            None => Ok(()),
        }
    }

    fn parameter(&self, layer: &LayerParts) -> String {
        let first = layer.parts.iter().next_back();
        let (part, shape) = first.map_or(("", &[][..]), |(part, shape)| (part.as_str(), shape.as_slice()));
        format!("`{}.{}.{part}` {shape:?}", self.net, layer.name)
    }
}

fn differ(entry: &str, shape: &[usize], parameter: &str, wanted: &[usize]) -> String {
    format!("the entry `{entry}` is {shape:?}, `{parameter}` is {wanted:?}")
}

/// The weight of a module, or what it has instead, with its shape.
fn entry(module: &str, parts: &Parts) -> String {
    let last = parts.iter().next_back();
    let (part, shape) = last.map_or(("", &[][..]), |(part, shape)| (part.as_str(), shape.as_slice()));
    format!("the entry `{}` {shape:?}", joined(module, part))
}

/// The name of a part of a module in a state dict.
pub(crate) fn joined(module: &str, part: &str) -> String {
    if module.is_empty() { part.to_string() } else { format!("{module}.{part}") }
}

/// A name with its numbers made alike.
fn skeleton(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        match letter.is_ascii_digit() {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(letter),
        }
    }
    text
}

/// The numbers in a name; the name itself decides between names of equal numbers.
fn numbers(name: &str) -> (Vec<u64>, String) {
    let runs = name.split(|letter: char| !letter.is_ascii_digit()).filter(|run| !run.is_empty());
    (runs.map(|run| run.parse().unwrap_or(u64::MAX)).collect(), name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parts: &[(&str, &[usize])]) -> Parts {
        parts.iter().map(|(part, shape)| (part.to_string(), shape.to_vec())).collect()
    }

    fn dense(name: &str, n: usize, k: usize) -> LayerParts {
        LayerParts { name: name.into(), parts: parts(&[("weight", &[n, k]), ("bias", &[n])]) }
    }

    fn entries(entries: &[(&str, &[usize])]) -> BTreeMap<String, Vec<usize>> {
        parts(entries)
    }

    fn found(layers: &[LayerParts], file: &[(&str, &[usize])], names: TorchNames) -> Result<Vec<(String, String)>, String> {
        assign("G", layers, &entries(file), &names)
    }

    fn pairs(expected: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        Ok(expected.iter().map(|(module, layer)| (module.to_string(), layer.to_string())).collect())
    }

    fn three() -> Vec<LayerParts> {
        vec![dense("dense_0", 4, 4), dense("dense_1", 4, 4), dense("dense_2", 2, 4)]
    }

    #[test]
    fn numbers_order_modules_as_numbers() {
        let file: &[(&str, &[usize])] = &[
            ("10.weight", &[4, 4]),
            ("10.bias", &[4]),
            ("2.weight", &[4, 4]),
            ("2.bias", &[4]),
            ("11.weight", &[2, 4]),
            ("11.bias", &[2]),
        ];
        let by_number = pairs(&[("2", "dense_0"), ("10", "dense_1"), ("11", "dense_2")]);
        assert_eq!(found(&three(), file, TorchNames::by_order()), by_number);
    }

    #[test]
    fn names_of_this_library_are_taken_by_name() {
        let file: &[(&str, &[usize])] = &[
            ("dense_2.weight", &[2, 4]),
            ("dense_2.bias", &[2]),
            ("dense_1.weight", &[4, 4]),
            ("dense_1.bias", &[4]),
            ("dense_0.weight", &[4, 4]),
            ("dense_0.bias", &[4]),
        ];
        // Executed in another order than their numbers.
        let mut layers = three();
        layers.swap(0, 1);
        let own = pairs(&[("dense_0", "dense_0"), ("dense_1", "dense_1"), ("dense_2", "dense_2")]);
        assert_eq!(found(&layers, file, TorchNames::by_order()), own);
    }

    #[test]
    fn where_names_tell_no_order_shapes_decide_or_nobody() {
        let file: &[(&str, &[usize])] = &[
            ("fc1.weight", &[4, 4]),
            ("fc1.bias", &[4]),
            ("fc0.weight", &[4, 4]),
            ("fc0.bias", &[4]),
            ("a.weight", &[2, 4]),
            ("a.bias", &[2]),
        ];
        let mut taken = found(&three(), file, TorchNames::by_order()).unwrap();
        taken.sort();
        assert_eq!(Ok(taken), pairs(&[("a", "dense_2"), ("fc0", "dense_0"), ("fc1", "dense_1")]));
        let file: &[(&str, &[usize])] = &[
            ("up.weight", &[4, 4]),
            ("up.bias", &[4]),
            ("down.weight", &[4, 4]),
            ("down.bias", &[4]),
            ("a.weight", &[2, 4]),
            ("a.bias", &[2]),
        ];
        let message = found(&three(), file, TorchNames::by_order()).unwrap_err();
        assert!(message.contains("`down`, `up`") && message.contains("`dense_0`, `dense_1`"), "{message}");
        let given = [("up", "dense_0"), ("down", "dense_1"), ("a", "dense_2")];
        let mut taken = found(&three(), file, TorchNames::pairs(given)).unwrap();
        taken.sort();
        assert_eq!(Ok(taken), pairs(&[("a", "dense_2"), ("down", "dense_1"), ("up", "dense_0")]));
    }

    #[test]
    fn what_does_not_agree_is_named_on_both_sides_with_both_shapes() {
        let layers = [dense("dense_0", 4, 3), dense("dense_1", 2, 4)];
        let refused = |file: &[(&str, &[usize])], names: TorchNames, words: &[&str]| {
            let message = found(&layers, file, names).unwrap_err();
            words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is not in: {message}"));
        };
        let order = TorchNames::by_order;
        let swapped: &[(&str, &[usize])] =
            &[("0.weight", &[2, 4]), ("0.bias", &[2]), ("1.weight", &[4, 3]), ("1.bias", &[4])];
        refused(swapped, order(), &["`0.weight` is [2, 4]", "`G.dense_0.weight` is [4, 3]", "TorchNames::pairs"]);
        let transposed: &[(&str, &[usize])] =
            &[("0.weight", &[3, 4]), ("0.bias", &[4]), ("1.weight", &[2, 4]), ("1.bias", &[2])];
        refused(transposed, order(), &["`0.weight` is [3, 4]", "`G.dense_0.weight` is [4, 3]"]);
        let short: &[(&str, &[usize])] = &[("0.weight", &[4, 3]), ("0.bias", &[4])];
        refused(short, order(), &["`G.dense_1.weight` [2, 4] is given no entry"]);
        let bare: &[(&str, &[usize])] = &[("0.weight", &[4, 3]), ("1.weight", &[2, 4]), ("1.bias", &[2])];
        refused(bare, order(), &["`G.dense_0.bias` [4] is given no entry `0.bias`", "`0.weight` [4, 3]"]);
        let whole: &[(&str, &[usize])] = &[("0.weight", &[4, 3]), ("0.bias", &[4]), ("1.weight", &[2, 4]), ("1.bias", &[2])];
        assert!(found(&layers, whole, order()).is_ok());
        let more = [whole, &[("7.weight", &[9])]].concat();
        refused(&more, order(), &["`7.weight` [9] is none of the net `G`"]);
        let statistics = [whole, &[("1.running_mean", &[2])]].concat();
        refused(&statistics, order(), &["`1.running_mean` [2] has no counterpart", "`G.dense_1`", "weight [2, 4]"]);
        let normed = [whole, &[("1.weight_g", &[2, 1])]].concat();
        refused(&normed, order(), &["`1.weight_g` [2, 1]", "TorchNames::skip"]);
        let named: &[(&str, &[usize])] =
            &[("stem.weight", &[4, 3]), ("stem.bias", &[4]), ("out.weight", &[2, 5]), ("out.bias", &[2])];
        refused(named, order(), &["`out.weight` is [2, 5]", "`G.dense_1.weight` is [2, 4]"]);
        refused(whole, TorchNames::pairs([("0", "dense_0")]), &["`1.weight` [2, 4]", "pairs do not name"]);
        refused(whole, TorchNames::pairs([("0", "dense_0"), ("1", "dense_7")]), &["no layer `dense_7`", "dense_0, dense_1"]);
        refused(short, TorchNames::pairs([("0", "dense_0")]), &["`G.dense_1.weight` [2, 4]"]);
        refused(whole, TorchNames::pairs([("0", "dense_0"), ("3", "dense_1")]), &["no entry of the module `3`"]);
        let twice: &[(&str, &[usize])] = &[("0.weight", &[4, 3]), ("0.bias", &[4]), ("1.weight", &[4, 3]), ("1.bias", &[4])];
        refused(twice, TorchNames::pairs([("0", "dense_0"), ("1", "dense_0")]), &["`0` and `1`", "`G.dense_0`"]);
        refused(
            whole,
            TorchNames::pairs([("0.weight", "dense_1.weight")]),
            &["`0.weight` is [4, 3]", "`G.dense_1.weight` is [2, 4]"],
        );
    }

    #[test]
    fn single_entries_go_to_single_parameters() {
        let slope = LayerParts { name: "prelu_0".into(), parts: parts(&[("weight", &[1])]) };
        let file: &[(&str, &[usize])] = &[("slope", &[1]), ("0.weight", &[4, 3]), ("0.bias", &[4])];
        let names = TorchNames::pairs([("slope", "prelu_0.weight"), ("0", "dense_0")]);
        let taken = found(&[slope, dense("dense_0", 4, 3)], file, names);
        assert_eq!(taken, pairs(&[("0", "dense_0"), ("slope", "prelu_0.weight")]));
    }
}
