"""Reference numbers for the tests, computed in float64 by PyTorch from fixed seeds.

    python make_golden.py [FOLDER]        (needs requirements.txt; FOLDER: where this file lies)

Floats are stored as float32, labels as uint32, images as uint8; scalars are 0-d arrays. Weights are
[in x out], samples are rows. Every input was rounded to float32 before the float64 computation.

network.npz     `{activation}/KEY`, activation in relu leaky_relu tanh sigmoid gelu elu selu silu mish identity, net
                20-17-9-5, 13 samples: x labels w1 b1 w2 b2 w3 b3, logits loss grad_w1 grad_b1 ... grad_b3.
                `bytes/KEY`: x (uint8, 150 x 36) labels w1 b1 w2 b2 mean std (of all pixels), relu net
                36-70-10; `bytes_none/`, `bytes_unit/` (x / 255), `bytes_standard/` ((x - mean) / std):
                logits loss grad_w1 grad_b1 grad_w2 grad_b2.
hidden.npz      Batch normalization after each of two hidden layers, relu, 15 samples: x labels w1 b1 gamma1 beta1
                w2 b2 gamma2 beta2 w3 b3; logits loss grad_w1 grad_b1 grad_gamma1 grad_beta1 ... grad_b3 of a
                pass in training; then `mean1 variance1 mean2 variance2` (running, momentum 0.1, from 0 and
                1) and `eval_logits` with these.
muon.npz        `CASE/x` and `CASE/o`: a matrix and the same made orthogonal, for each CASE of `muon_file()`.
optimizers.npz  `x labels w1 b1 w2 b2` (12-16-4, relu, full batch of 32) and for each CASE of OPTIMIZERS
                `CASE/losses` (ten, each before its update), `CASE/w1 b1 w2 b2` (after ten updates).
targets.npz     `logits` (12 x 7) `labels`; of each sample `others` (second label), `shares` (of the first),
                `weights`; `class_weights`; for each CASE of `targets_file()` `CASE/losses` (each sample's) and
                `CASE/grad` (of their mean, with respect to the logits).
schedules.npz   `CASE`: the learning rate of each step from 0; settings: `schedules()` below.
                `plateau/values` of 60 epochs and `plateau/min`, `plateau/max`: the learning rate after
                each, where smaller or larger is better.
"""

import math
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch.nn import functional

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # one order of summation: the same file every time

ACTIVATIONS = {
    "relu": functional.relu,
    "leaky_relu": lambda z: functional.leaky_relu(z, 0.01),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,  # exact: z/2 (1 + erf(z / sqrt 2))
    "elu": functional.elu,
    "selu": functional.selu,
    "silu": functional.silu,
    "mish": functional.mish,
    "identity": lambda z: z,
}


class Lion:
    """Chen et al. 2023, algorithm 2, which PyTorch has not."""

    def __init__(self, groups, lr, betas):
        self.groups, self.lr, self.betas = groups, lr, betas
        self.mean = {id(p): np.zeros(p.shape) for group in groups for p in group["params"]}

    def zero_grad(self):
        for group in self.groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self):
        beta1, beta2 = self.betas
        for group in self.groups:
            for parameter in group["params"]:
                w, g = parameter.detach().numpy(), parameter.grad.numpy()  # w shares its memory
                m = self.mean[id(parameter)]
                c = beta1 * m + (1 - beta1) * g
                assert np.all((c == 0) | (np.abs(c) > 1e-6)), "a sign that float32 could miss"
                w -= self.lr * (np.sign(c) + group["weight_decay"] * w)
                m[...] = beta2 * m + (1 - beta2) * g


def in_float64():
    """PyTorch's Muon computes its iterations in bfloat16: in here in float64."""
    return mock.patch.object(torch, "bfloat16", torch.float64)


class Muon:
    """Muon for the first weight, AdamW for the others, with the same learning rate and decay."""

    def __init__(self, groups, lr, momentum, nesterov, betas, eps):
        (first, *others), biases = groups[0]["params"], groups[1]["params"]
        decay = groups[0]["weight_decay"]
        self.optimizers = [
            torch.optim.Muon(
                [first],
                lr=lr,
                weight_decay=decay,
                momentum=momentum,
                nesterov=nesterov,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                [{"params": others, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}],
                lr=lr,
                betas=betas,
                eps=eps,
            ),
        ]

    def zero_grad(self):
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def step(self):
        with in_float64():
            for optimizer in self.optimizers:
                optimizer.step()


# Weight decay acts on the weights only, never on the biases (two parameter groups).
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, dict(lr=0.1), 0.0),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9), 0.0),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True), 0.0),
    "sgd_decay": (torch.optim.SGD, dict(lr=0.1), 0.01),
    "adam": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8), 0.0),
    "adam_decay": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8), 0.01),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8), 0.05),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.99, eps=1e-8), 0.0),
    "rmsprop_momentum": (
        torch.optim.RMSprop,
        dict(lr=0.003, alpha=0.9, eps=1e-6, momentum=0.9),
        0.01,
    ),
    "lion": (Lion, dict(lr=0.003, betas=(0.9, 0.99)), 0.0),
    "lion_decay": (Lion, dict(lr=0.003, betas=(0.8, 0.95)), 0.5),
    "muon": (
        Muon,
        dict(lr=0.01, momentum=0.95, nesterov=True, betas=(0.9, 0.999), eps=1e-8),
        0.1,
    ),
    "muon_plain": (
        Muon,
        dict(lr=0.01, momentum=0.9, nesterov=False, betas=(0.9, 0.95), eps=1e-8),
        0.0,
    ),
}


# --- The networks ---------------------------------------------------------------------------------


def as_f32(array):
    """Rounds to float32 and comes back: what the reader of the file will start from."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)


def random_parameters(rng, sizes, weight_scales, bias_scale):
    parameters = {}
    for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:]), start=1):
        parameters[f"w{layer}"] = as_f32(rng.normal(0, weight_scales[layer - 1], (rows, columns)))
        parameters[f"b{layer}"] = as_f32(rng.normal(0, bias_scale, columns))
    return parameters


def torch_logits(x, tensors, activation):
    """tensors: w1 [in x out], b1, w2, ... ; `functional.linear` takes PyTorch's [out x in]."""
    layers = len(tensors) // 2
    for layer in range(1, layers + 1):
        x = functional.linear(x, tensors[f"w{layer}"].T, tensors[f"b{layer}"])
        if layer < layers:
            x = ACTIVATIONS[activation](x)
    return x


def torch_results(x, labels, parameters, activation):
    """Logits, mean cross-entropy and every gradient."""
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    logits = torch_logits(torch.tensor(x), tensors, activation)
    loss = functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    results = {"logits": logits.detach().numpy(), "loss": loss.item()}
    results.update({f"grad_{name}": tensor.grad.numpy() for name, tensor in tensors.items()})
    return results


def network_file():
    arrays = {}
    for activation in ACTIVATIONS:
        # The same start for all. With this seed no input of a (leaky) ReLU is nearer to its kink than
        # 0.03, so that central differences with steps up to 2^-7 stay on one side of it.
        rng = np.random.default_rng(701)
        x = as_f32(rng.normal(0, 1, (13, 20)))
        labels = rng.integers(0, 5, 13)
        parameters = random_parameters(rng, (20, 17, 9, 5), (0.3, 0.3, 0.4), 0.2)
        results = torch_results(x, labels, parameters, activation)
        check_with_numpy(x, labels, parameters, activation, results, margin=0.03)
        for key, value in {"x": x, "labels": labels, **parameters, **results}.items():
            arrays[f"{activation}/{key}"] = value

    # Byte images, four pixels of five zero, and more samples than one tile of 128.
    rng = np.random.default_rng(200)
    pixels = rng.integers(1, 256, (150, 36)) * (rng.random((150, 36)) < 0.2)
    pixels = pixels.astype(np.uint8)
    labels = rng.integers(0, 10, 150)
    parameters = random_parameters(rng, (36, 70, 10), (0.02, 0.05), 0.1)
    mean, std = as_f32(pixels.mean()), as_f32(pixels.std())  # population standard deviation
    given = {"x": pixels, "labels": labels, **parameters, "mean": mean, "std": std}
    arrays.update({f"bytes/{key}": value for key, value in given.items()})
    for case, x in {
        "none": pixels.astype(np.float64),
        "unit": pixels / 255.0,
        "standard": (pixels - mean) / std,
    }.items():
        results = torch_results(x, labels, parameters, "relu")
        check_with_numpy(x, labels, parameters, "relu", results, margin=1e-6)
        arrays.update({f"bytes_{case}/{key}": value for key, value in results.items()})
    return arrays


def hidden_file():
    rng = np.random.default_rng(250)
    x = as_f32(rng.normal(0, 1, (15, 12)))
    labels = rng.integers(0, 5, 15)
    parameters = random_parameters(rng, (12, 70, 9, 5), (0.3, 0.2, 0.4), 0.2)
    for layer, units in enumerate((70, 9), start=1):
        parameters[f"gamma{layer}"] = as_f32(rng.uniform(0.5, 1.5, units))
        parameters[f"beta{layer}"] = as_f32(rng.normal(0, 0.3, units))
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    norms = [torch.nn.BatchNorm1d(units, eps=1e-5, momentum=0.1, affine=False) for units in (70, 9)]

    def forward(kinks):
        a = torch.tensor(x)
        for layer, norm in enumerate(norms, start=1):
            z = functional.linear(a, tensors[f"w{layer}"].T, tensors[f"b{layer}"])
            z = norm(z) * tensors[f"gamma{layer}"] + tensors[f"beta{layer}"]
            kinks.append(z.detach().abs().min().item())
            a = functional.relu(z)
        return functional.linear(a, tensors["w3"].T, tensors["b3"])

    kinks = []
    logits = forward(kinks)
    loss = functional.cross_entropy(logits, torch.tensor(labels))
    loss.backward()
    assert min(kinks) > 1e-4, "another seed is needed"  # as in check_with_numpy
    arrays = {"x": x, "labels": labels, **parameters}
    arrays.update({"logits": logits.detach().numpy(), "loss": loss.item()})
    arrays.update({f"grad_{name}": tensor.grad.numpy() for name, tensor in tensors.items()})
    for layer, norm in enumerate(norms, start=1):
        arrays[f"mean{layer}"] = norm.running_mean.numpy().copy()
        arrays[f"variance{layer}"] = norm.running_var.numpy().copy()
        norm.eval()
    arrays["eval_logits"] = forward([]).detach().numpy()
    check_norm_with_numpy(arrays)
    return arrays


# --- The same in plain NumPy: the formulas of docs/maths.md, so that two sources agree ---------------

erf = np.vectorize(math.erf, otypes=[np.float64])


def numpy_activation(activation, z):
    """(f(z), f'(z))"""
    if activation == "relu":
        return np.maximum(z, 0), (z > 0) * 1.0
    if activation == "leaky_relu":
        return np.where(z > 0, z, 0.01 * z), np.where(z > 0, 1, 0.01)
    if activation == "tanh":
        return np.tanh(z), 1 - np.tanh(z) ** 2
    if activation == "sigmoid":
        a = 1 / (1 + np.exp(-z))
        return a, a * (1 - a)
    if activation == "gelu":
        cumulative = 0.5 * (1 + erf(z / math.sqrt(2)))
        return z * cumulative, cumulative + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    if activation == "elu":
        return np.where(z > 0, z, np.expm1(z)), np.where(z > 0, 1, np.exp(z))
    if activation == "selu":
        # The constants of Klambauer et al. 2017.
        scale, alpha = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
        return scale * np.where(z > 0, z, alpha * np.expm1(z)), scale * np.where(z > 0, 1, alpha * np.exp(z))
    if activation == "silu":
        sigmoid = 1 / (1 + np.exp(-z))
        return z * sigmoid, sigmoid * (1 + z * (1 - sigmoid))
    if activation == "mish":
        gate = np.tanh(np.log1p(np.exp(z)))
        return z * gate, gate + z / (1 + np.exp(-z)) * (1 - gate**2)
    return z, np.ones_like(z)


def check_with_numpy(x, labels, parameters, activation, results, margin):
    """margin: how far from the kink at 0 every input of a ReLU must stay. Nearer, float32 could fall on
    the other side, and a test would blame the code for it."""
    layers, samples = len(parameters) // 2, len(x)
    inputs, slopes = [x], []
    for layer in range(1, layers + 1):
        z = inputs[-1] @ parameters[f"w{layer}"] + parameters[f"b{layer}"]
        if layer < layers:
            if "relu" in activation:
                assert np.abs(z).min() > margin, "another seed is needed"
            a, slope = numpy_activation(activation, z)
            inputs.append(a)
            slopes.append(slope)
    np.testing.assert_allclose(results["logits"], z, rtol=1e-11, atol=1e-12)

    shifted = z - z.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    loss = np.mean(log_sum - shifted[np.arange(samples), labels])
    np.testing.assert_allclose(results["loss"], loss, rtol=1e-12)

    grad_z = np.exp(shifted - log_sum[:, None])
    grad_z[np.arange(samples), labels] -= 1
    grad_z /= samples
    for layer in range(layers, 0, -1):
        grad_weight, grad_bias = inputs[layer - 1].T @ grad_z, grad_z.sum(axis=0)
        np.testing.assert_allclose(results[f"grad_w{layer}"], grad_weight, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(results[f"grad_b{layer}"], grad_bias, rtol=1e-9, atol=1e-12)
        if layer > 1:
            grad_z = (grad_z @ parameters[f"w{layer}"].T) * slopes[layer - 2]


def check_norm_with_numpy(arrays):
    """Forward, and the gradients of the last scale and shift, by the formulas of docs/maths.md."""
    a, samples = arrays["x"], len(arrays["x"])
    for layer in (1, 2):
        z = a @ arrays[f"w{layer}"] + arrays[f"b{layer}"]
        mean, variance = z.mean(axis=0), z.var(axis=0)
        unbiased = variance * samples / (samples - 1)
        np.testing.assert_allclose(arrays[f"mean{layer}"], 0.1 * mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(arrays[f"variance{layer}"], 0.9 + 0.1 * unbiased, rtol=1e-9)
        normalized = (z - mean) / np.sqrt(variance + 1e-5)
        y = arrays[f"gamma{layer}"] * normalized + arrays[f"beta{layer}"]
        a = np.maximum(y, 0)
    logits = a @ arrays["w3"] + arrays["b3"]
    np.testing.assert_allclose(arrays["logits"], logits, rtol=1e-9, atol=1e-12)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    grad = p / p.sum(axis=1, keepdims=True) - np.eye(5)[arrays["labels"]]
    grad = grad / samples @ arrays["w3"].T * (y > 0)
    np.testing.assert_allclose(arrays["grad_beta2"], grad.sum(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        arrays["grad_gamma2"], (grad * normalized).sum(axis=0), rtol=1e-9, atol=1e-12
    )


# --- Optimizers -------------------------------------------------------------------------------------


def train(x, labels, start, optimizer, settings, weight_decay, steps=10):
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}
    weights = [tensor for name, tensor in tensors.items() if name[0] == "w"]
    biases = [tensor for name, tensor in tensors.items() if name[0] == "b"]
    groups = [
        {"params": weights, "weight_decay": weight_decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    optimizer = optimizer(groups, **settings)
    x, labels, losses = torch.tensor(x), torch.tensor(labels), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = functional.cross_entropy(torch_logits(x, tensors, "relu"), labels)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return np.array(losses), {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def optimizers_file():
    rng = np.random.default_rng(300)
    x = as_f32(rng.normal(0, 1, (32, 12)))
    labels = rng.integers(0, 4, 32)
    start = random_parameters(rng, (12, 16, 4), (0.4, 0.35), 0.1)
    arrays = {"x": x, "labels": labels, **start}
    for case, (optimizer, settings, weight_decay) in OPTIMIZERS.items():
        losses, final = train(x, labels, start, optimizer, settings, weight_decay)
        assert losses[-1] < losses[0], case
        arrays[f"{case}/losses"] = losses
        arrays.update({f"{case}/{name}": value for name, value in final.items()})
    return arrays


def muon_file():
    """Matrices of the shapes below, made orthogonal by five of PyTorch's Newton-Schulz iterations."""
    rng = np.random.default_rng(350)
    arrays = {}
    for case, shape in {"wide": (7, 31), "tall": (40, 9), "square": (12, 12), "row": (1, 20)}.items():
        x = as_f32(rng.normal(0, 3, shape))
        coefficients = (3.4445, -4.7750, 2.0315)
        orthogonalize = torch.optim._muon._zeropower_via_newtonschulz
        with in_float64():
            o = orthogonalize(torch.tensor(x), coefficients, 5, 1e-7).numpy()
        rough = orthogonalize(torch.tensor(x), coefficients, 5, 1e-7)
        np.testing.assert_allclose(rough.double().numpy(), o, atol=0.03)  # as it is, in bfloat16
        np.testing.assert_allclose(o, numpy_orthogonal(x, coefficients), rtol=1e-9, atol=1e-12)
        arrays[f"{case}/x"], arrays[f"{case}/o"] = x, o
    return arrays


def numpy_orthogonal(x, coefficients):
    """The polynomial of each singular value, five times."""
    u, s, v = np.linalg.svd(x, full_matrices=False)
    s /= np.linalg.norm(x)
    for _ in range(5):
        s = sum(c * s**power for c, power in zip(coefficients, (1, 3, 5)))
    return u @ np.diag(s) @ v


# --- Targets ----------------------------------------------------------------------------------------


def targets_file():
    rng = np.random.default_rng(400)
    samples, classes, smoothing = 12, 7, 0.1
    logits = as_f32(rng.normal(0, 3, (samples, classes)))
    labels, others = (rng.integers(0, classes, samples) for _ in range(2))
    shares, weights = as_f32(rng.random(samples)), as_f32(rng.exponential(1, samples))
    class_weights = as_f32(rng.exponential(1, classes))
    one_hot = np.eye(classes)
    share = shares[:, None]
    mixed = share * one_hot[labels] + (1 - share) * one_hot[others]

    # target (labels, or a distribution over the classes), settings of cross_entropy, sample weights
    cases = {
        "plain": (labels, {}, 1),
        "smoothed": (labels, dict(label_smoothing=smoothing), 1),
        "mixed": (mixed, {}, 1),
        "mixed_smoothed": (mixed, dict(label_smoothing=smoothing), 1),
        "class_weights": (labels, dict(weight=torch.tensor(class_weights)), 1),
        "all": (mixed, dict(label_smoothing=smoothing), weights),
    }
    arrays = {"logits": logits, "labels": labels, "others": others, "shares": shares}
    arrays.update({"weights": weights, "class_weights": class_weights})
    for case, (target, settings, factors) in cases.items():
        tensor = torch.tensor(logits, requires_grad=True)
        losses = functional.cross_entropy(tensor, torch.tensor(target), reduction="none", **settings)
        losses = losses * torch.as_tensor(factors)
        losses.mean().backward()
        arrays[f"{case}/losses"], arrays[f"{case}/grad"] = losses.detach().numpy(), tensor.grad.numpy()
    return arrays


# --- Schedules --------------------------------------------------------------------------------------


def rates(learning_rate, schedule, steps):
    """The learning rate that each of `steps` updates would use; `schedule` builds it on an optimizer."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=learning_rate)
    scheduler, rates = schedule(optimizer), []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()
    return np.array(rates)


def schedules_file():
    lr = torch.optim.lr_scheduler

    def warm_up(optimizer):
        """From 0.1 of the learning rate, linearly, to all of it at step 10."""
        return lr.LinearLR(optimizer, start_factor=0.1, end_factor=1.0, total_iters=10)

    def warm_up_cosine(optimizer):
        """Ten steps of warm-up; then from step 10 the cosine over the other 30, to 0 at step 40."""
        cosine = lr.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.0)
        return lr.SequentialLR(optimizer, [warm_up(optimizer), cosine], milestones=[10])

    def one_cycle(optimizer):
        """The defaults spelled out: cosine, up for 30 %, from max / 25, down to max / 25 / 10,000."""
        return lr.OneCycleLR(
            optimizer,
            max_lr=0.1,
            total_steps=50,
            pct_start=0.3,
            anneal_strategy="cos",
            div_factor=25.0,
            final_div_factor=1e4,
            cycle_momentum=False,
        )

    return {
        # 0.1, halved every 7 steps; 30 steps.
        "step": rates(0.1, lambda o: lr.StepLR(o, step_size=7, gamma=0.5), 30),
        # 0.1 towards 0 at step 40, which is one past the last of the 40 steps.
        "cosine": rates(0.1, lambda o: lr.CosineAnnealingLR(o, T_max=40, eta_min=0.0), 40),
        "one_cycle": rates(0.1, one_cycle, 50),
        "warm_up": rates(0.1, warm_up, 30),
        "warm_up_cosine": rates(0.1, warm_up_cosine, 40),
    }


def plateau_arrays():
    """A zigzag that falls, rests and rises, with steps below the threshold of 1e-4 among them."""
    rng = np.random.default_rng(400)
    base = np.concatenate([np.linspace(1.0, 0.5, 20), np.full(20, 0.5), np.linspace(0.5, 1.2, 20)])
    values = base + 0.03 * (-1.0) ** np.arange(60) + rng.normal(0, 0.01, 60)
    values[25:35] = values[24] * (1 - 3e-5) ** np.arange(1, 11)
    arrays = {"plateau/values": as_f32(values)}
    for mode in ("min", "max"):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, factor=0.5, patience=3
        )
        rates = []
        for value in arrays["plateau/values"]:
            scheduler.step(value)
            rates.append(optimizer.param_groups[0]["lr"])
        assert len(set(rates)) > 3
        arrays[f"plateau/{mode}"] = np.array(rates)
    return arrays


# --- Files --------------------------------------------------------------------------------------------


def stored(array):
    array = np.asarray(array)
    if array.dtype == np.uint8:
        return array
    return array.astype(np.uint32 if array.dtype.kind == "i" else np.float32, order="C")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, arrays in {
        "network.npz": network_file(),
        "hidden.npz": hidden_file(),
        "muon.npz": muon_file(),
        "optimizers.npz": optimizers_file(),
        "targets.npz": targets_file(),
        "schedules.npz": {**schedules_file(), **plateau_arrays()},
    }.items():
        np.savez(folder / name, **{key: stored(value) for key, value in arrays.items()})
        print(f"{name}: {len(arrays)} arrays, {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
