"""PyTorch on the CPU: the notebook's training, mini-batches, prediction.

The data lie in one tensor; the rows of a mini-batch are picked by `index_select`, no DataLoader.

--compile  `torch.compile` of pass and loss (and so of the backward pass), shapes fixed
--fused    the optimizer's fused CPU kernel
--bf16     autocast to bfloat16, with the images converted once (0..255 are exact in it)
"""

import torch

import common


def network(path):
    """Linear, ReLU, Linear, ... with the weights in the file."""
    modules = []
    for weight, bias in common.start(path):
        linear = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T))
            linear.bias.copy_(torch.from_numpy(bias))
        modules += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules[:-1])


class Trainer:
    """A network with its optimizer; `update` is one step, and returns the logits before it."""

    def __init__(self, options, optimizer):
        self.model = network(options.start)
        self.optimizer = optimizer(self.model.parameters(), lr=0.001, fused=options.fused or None)
        self.bf16 = options.bf16
        self.forward = self.pass_and_loss
        if options.compile:
            self.forward = torch.compile(self.pass_and_loss, dynamic=False)

    def pass_and_loss(self, inputs, labels):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            logits = self.model(inputs)
        return logits, torch.nn.functional.cross_entropy(logits.float(), labels)

    def update(self, inputs, labels):
        self.optimizer.zero_grad()
        logits, loss = self.forward(inputs, labels)
        loss.backward()
        self.optimizer.step()
        return logits.detach()

    def accuracy(self, inputs, labels):
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            return share_right(self.model(inputs), labels)


def share_right(logits, labels):
    return (logits.argmax(1) == labels).float().mean().item()


def data(options, scale):
    x_train, y_train, x_test, y_test = map(torch.from_numpy, common.load(options.files))
    kept = torch.bfloat16 if options.bf16 else torch.float32
    return (x_train / scale).to(kept), y_train, (x_test / scale).to(kept), y_test


def notebook(options):
    x, y, x_test, y_test = data(options, 1)
    trainer = Trainer(options, torch.optim.SGD)
    accuracies = []

    def run(_):
        accuracies.append(share_right(trainer.update(x, y), y))

    seconds = common.timed_epochs(options.epochs, run)
    test_accuracy = trainer.accuracy(x_test, y_test)
    return {
        "epoch_seconds": seconds,
        "train_accuracy": accuracies[-1],
        "test_accuracy": test_accuracy,
    }


def minibatch(options):
    x, y, x_test, y_test = data(options, 255)
    trainer = Trainer(options, torch.optim.Adam)

    def run(_):
        for rows in torch.randperm(len(x)).split(options.batch):
            trainer.update(x.index_select(0, rows), y.index_select(0, rows))

    seconds = common.timed_epochs(options.epochs, run)
    return {"epoch_seconds": seconds, "test_accuracy": trainer.accuracy(x_test, y_test)}


def predict(options):
    _, _, inputs, labels = data(options, 255)
    model = network(options.start).eval()
    if options.compile:
        model = torch.compile(model, dynamic=False)

    with torch.inference_mode():
        one, many = common.prediction_times(lambda x: model(x).argmax(1), inputs, options.quick)
        accuracy = share_right(model(inputs), labels)
    return {
        "one_image_seconds": one,
        "images_per_second": len(inputs) / many,
        "test_accuracy": accuracy,
    }


if __name__ == "__main__":
    extra = [(flag, {"action": "store_true"}) for flag in ("--compile", "--fused", "--bf16")]
    works = {"notebook": notebook, "minibatch": minibatch, "predict": predict}
    options = common.options(__doc__.splitlines()[0], works, extra)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    common.report(**works[options.work](options), version=f"torch {torch.__version__}")
