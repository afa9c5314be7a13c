"""Values of the reference libraries on fixed features, for values.rs.

Needs Python 3.11 and: numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 torch==2.15.0 torch-fidelity==0.4.0
clean-fid==0.1.35 prdc==0.2. Run in this folder; writes values/*.npy and values/values.json.
"""

import json
from pathlib import Path

import numpy as np
import torch
from cleanfid.fid import frechet_distance as clean_frechet
from cleanfid.fid import kernel_distance as clean_kernel
from prdc import compute_prdc
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kernel_mmd, kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

folder = Path(__file__).parent / "values"
folder.mkdir(exist_ok=True)
rng = np.random.default_rng(50)


def write(name, values):
    np.save(folder / f"{name}.npy", values.astype(np.float32))
    return values.astype(np.float32).astype(np.float64)


# Correlated features far from the origin; generated ones are shifted, narrower and lack a part of the data.
width = 16
mix = rng.normal(size=(width, width)) / 4
real = rng.normal(size=(500, width)) @ mix + 3.0
real[:150] += 2.0 * np.eye(width)[0]
generated = 0.8 * rng.normal(size=(400, width)) @ mix + 3.1
real, generated = write("real", real), write("generated", generated)
logits = 2.0 * rng.normal(size=(300, 10)) + np.linspace(0, 1, 10)
probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
probabilities = write("probabilities", probabilities)

values = {}
a, b = torch.from_numpy(real), torch.from_numpy(generated)

# Fréchet distances.
fidelity = fid_statistics_to_metric(fid_features_to_statistics(a), fid_features_to_statistics(b), False)
values["frechet_torch_fidelity"] = fidelity["frechet_inception_distance"]
moments = [(x.mean(axis=0), np.cov(x, rowvar=False)) for x in (real, generated)]
values["frechet_clean_fid"] = float(np.real(clean_frechet(*moments[0], *moments[1])))

# Kernel distances. clean-fid's subsets are all samples where there are no more: the unbiased value on the first 400.
values["kernel_clean_fid_400"] = clean_kernel(real[:400], generated, num_subsets=1, max_subset_size=400)
values["kernel_torch_fidelity_400"] = float(kernel_mmd(real[:400], generated, kid_kernel="poly"))
subsets = {"count": 20, "size": 100, "seed": 2020}
kid = kid_features_to_metric(
    a, b, kid_subsets=subsets["count"], kid_subset_size=subsets["size"], rng_seed=subsets["seed"], verbose=False
)
values["kernel_subsets_mean"] = kid["kernel_inception_distance_mean"]
values["kernel_subsets_deviation"] = kid["kernel_inception_distance_std"]
choose = np.random.RandomState(subsets["seed"])
values["subsets"] = [
    [choose.choice(len(x), subsets["size"], replace=False).tolist() for x in (real, generated)]
    for _ in range(subsets["count"])
]
values["gaussian_torch_fidelity_400"] = float(
    kernel_mmd(real[:400], generated, kid_kernel="rbf", kid_kernel_rbf_sigma=2.5)
)

# Neighbours.
for k in (3, 5):
    values[f"prdc_{k}"] = {name: float(value) for name, value in compute_prdc(real, generated, k).items()}
prc = prc_features_to_metric(b, a, prc_neighborhood=3, prc_batch_size=10000, save_cpu_ram=False, verbose=False)
values["prc_torch_fidelity"] = {name: prc[name] for name in ("precision", "recall")}
pooled, kind = np.concatenate([real, generated]), np.repeat([0, 1], [len(real), len(generated)])
hits = cross_val_score(KNeighborsClassifier(1, algorithm="brute"), pooled, kind, cv=LeaveOneOut())
values["two_sample"] = {"real": float(hits[kind == 0].mean()), "generated": float(hits[kind == 1].mean())}

# The Inception Score.
isc = isc_features_to_metric(torch.from_numpy(probabilities).log(), splits=10, shuffle=False)
values["inception_mean"] = isc["inception_score_mean"]
values["inception_deviation"] = isc["inception_score_std"]

# One dimension, Parzen windows, assignment.
values["wasserstein"] = float(wasserstein_distance(real[:, 0], generated[:, 0]))
# One leaf: through a deeper tree the sums are good to three digits only, whatever the tolerances.
density = KernelDensity(bandwidth=0.5, rtol=0, atol=0, leaf_size=len(generated)).fit(generated)
values["parzen_half"] = float(density.score_samples(real).mean())
labels = probabilities.argmax(axis=1)
clusters = (labels * 3 + rng.integers(0, 3, size=len(labels))) % 10
counts = np.zeros((10, 10))
np.add.at(counts, (clusters, labels), 1)
values["clusters"] = clusters.tolist()
values["cluster_accuracy"] = float(counts[linear_sum_assignment(-counts)].sum() / len(labels))

(folder / "values.json").write_text(json.dumps(values, separators=(",", ":")) + "\n")
for name, value in values.items():
    if name not in ("subsets", "clusters"):
        print(name, value)
