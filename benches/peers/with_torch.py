"""The workloads in PyTorch: eager on the CPU; eager or as CUDA graphs on a GPU.

usage: python with_torch.py [w1 w2 w3 w4] [--seconds S] [--workers N] [--gpu [--graph] [--precision full|default] [--block N]]
"""

import os

import torch
from torch import nn
from torch.nn import functional as F

import clock


def dense_net(sizes, activation, last=None):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1], *([last] if last else []))


def leaky():
    return nn.LeakyReLU(0.2)


def picture_generator():
    return nn.Sequential(
        nn.Linear(64, 64 * 7 * 7),
        nn.Unflatten(1, (64, 7, 7)),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )


def picture_discriminator(normalised):
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),
        leaky(),
        nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1),
        *([nn.BatchNorm2d(64)] if normalised else []),
        leaky(),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 1),
    )


def large_generator():
    layers = [nn.Linear(100, 256 * 4 * 4), nn.Unflatten(1, (256, 4, 4)), nn.BatchNorm2d(256), nn.ReLU()]
    for inputs, outputs in [(256, 128), (128, 64), (64, 32)]:
        layers += [nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(32, 3, kernel_size=4, stride=2, padding=1), nn.Tanh())


def large_discriminator():
    layers = [nn.Conv2d(3, 32, kernel_size=4, stride=2, padding=1), leaky()]
    for inputs, outputs in [(32, 64), (64, 128), (128, 256)]:
        layers += [nn.Conv2d(inputs, outputs, kernel_size=4, stride=2, padding=1), nn.BatchNorm2d(outputs), leaky()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 4 * 4, 1))


def nets(workload):
    """Generator, discriminator, batch size, size of the noise, shape of a sample."""
    if workload == "w1":
        return dense_net([2, 128, 128, 2], nn.ReLU), dense_net([2, 128, 128, 1], nn.ReLU), 512, 2, (2,)
    if workload == "w2":
        g = dense_net([64, 256, 512, 784], nn.ReLU, nn.Tanh())
        return g, dense_net([784, 512, 256, 1], leaky), 128, 64, (784,)
    if workload == "dcgan64":
        return large_generator(), large_discriminator(), 256, 100, (3, 64, 64)
    return picture_generator(), picture_discriminator(workload == "w3"), 64, 64, (1, 28, 28)


def product():
    a, b = (torch.randn(clock.PRODUCT, clock.PRODUCT) for _ in range(2))
    c = torch.empty(clock.PRODUCT, clock.PRODUCT)
    return lambda: torch.matmul(a, b, out=c)


def graphed(step):
    """The step as one CUDA graph: recorded after a few runs on a stream of its own."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def prepare(workload, capturable=False):
    torch.manual_seed(0)
    if workload == "product":
        return product()
    g, d, batch, noise, shape = nets(workload)
    adam = lambda net: torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), capturable=capturable)
    of_g, of_d = adam(g), adam(d)
    x = torch.randn(batch, *shape)
    wasserstein = workload == "w4"

    def discriminator_loss():
        with torch.no_grad():
            fake = g(torch.randn(batch, noise))
        if not wasserstein:
            return F.softplus(-d(x)).mean() + F.softplus(d(fake)).mean()
        share = torch.rand(batch, 1, 1, 1)
        mid = torch.lerp(fake, x, share).requires_grad_()
        (slope,) = torch.autograd.grad(d(mid).sum(), mid, create_graph=True)
        length = torch.sqrt(slope.square().flatten(1).sum(1) + 1e-12)
        return d(fake).mean() - d(x).mean() + 10.0 * (length - 1.0).square().mean()

    def generator_loss():
        judged = d(g(torch.randn(batch, noise)))
        return -judged.mean() if wasserstein else F.softplus(-judged).mean()

    def move(optimiser, loss):
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    def step():
        for _ in range(5 if wasserstein else 1):
            move(of_d, discriminator_loss)
        # Gradients of D's weights are of no use here; a careful user switches them off.
        d.requires_grad_(False)
        move(of_g, generator_loss)
        d.requires_grad_(True)

    return step


if __name__ == "__main__":
    options = clock.arguments()
    torch.set_num_threads(options.workers or os.cpu_count() or 1)
    wait = lambda: None
    if options.gpu:
        torch.set_default_device("cuda")
        wait = torch.cuda.synchronize
        if options.precision == "full":
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.backends.cudnn.allow_tf32 = False
    kind = "torch-graph" if options.graph else "torch"
    for name in options.workloads:

        def prepared():
            step = prepare(name, capturable=options.graph)
            return graphed(step) if options.graph else step

        clock.report(kind, name, prepared, options.seconds, options.block, wait)
