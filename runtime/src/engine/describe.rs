//! The model in words and sizes, for the report of its run.

use super::{Engine, progress};
use crate::fit::{Description, NetDescription, PlayerDescription};
use saddlepoint_compiler::lower::Kind;
use saddlepoint_language::{Optimiser, Updated};

impl Engine {
    /// What the report of a run says of this model.
    pub(super) fn describe(&self) -> Description {
        let mut settings = vec![("Device".to_string(), self.device.describe())];
        for (index, hyper) in self.resolved.hypers.iter().enumerate() {
            settings.push((format!("Hyper {}, at the start", hyper.name), self.hyper(index).to_string()));
        }
        Description {
            nets: (0..self.resolved.nets.len()).map(|net| self.net(net)).collect(),
            players: (0..self.resolved.players.len()).map(|player| self.player(player)).collect(),
            settings,
            build_seconds: Some(self.build_seconds),
            explanation: self.brief(),
        }
    }

    fn net(&self, index: usize) -> NetDescription {
        let net = &self.resolved.nets[index];
        let (mut parameters, mut statistics) = (0, 0);
        for spec in self.specs.values() {
            match &spec.kind {
                Kind::Parameter { net } if *net == index => parameters += spec.ty.elements() as u64,
                Kind::Statistic { net } if *net == index => statistics += spec.ty.elements() as u64,
                _ => {}
            }
        }
        let takes: Vec<String> = net.parameters.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        let signature = format!("({}) -> {}", takes.join(", "), net.result);
        NetDescription { name: net.name.clone(), signature, parameters, statistics }
    }

    fn player(&self, index: usize) -> PlayerDescription {
        let player = &self.resolved.players[index];
        let updates = player.updates.iter().map(|updated| match updated {
            Updated::Net(net) => self.resolved.nets[*net].name.clone(),
            Updated::Latent(latent) => self.resolved.latents[*latent].name.clone(),
        });
        let (mut optimiser, mut steps) = (String::new(), 1);
        if let Some(spec) = self.resolved.train.optimisers.get(index) {
            let at = (self.step as f64, progress(self.step, self.horizon));
            let rate = self.resolved.rate_value(index, at.0, at.1, &self.overrides) as f32;
            steps = spec.steps;
            optimiser = match spec.kind {
                Optimiser::Sgd { momentum } => format!("sgd, rate {rate}, momentum {momentum}"),
                Optimiser::Adam { beta1, beta2, eps, decay } => {
                    let decay = if decay > 0.0 { format!(", decay {decay}") } else { String::new() };
                    format!("adam, rate {rate}, beta1 {beta1}, beta2 {beta2}, eps {eps:e}{decay}")
                }
                Optimiser::RmsProp { alpha, eps } => format!("rmsprop, rate {rate}, alpha {alpha}, eps {eps:e}"),
            };
            if let Some(norm) = spec.clip_norm {
                optimiser += &format!(", gradient norm at most {norm}");
            }
        }
        let (name, updates) = (player.name.clone(), updates.collect());
        PlayerDescription { name, maximizes: player.maximize, updates, optimiser, steps }
    }
}
