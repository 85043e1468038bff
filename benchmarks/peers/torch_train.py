"""PyTorch on the same work as gradus, timed on the CPU.

    python torch_train.py --work notebook  --data FOLDER [--epochs 20] [--compile] [--bf16]
    python torch_train.py --work minibatch --data FOLDER [--epochs 6] [--hidden 128] [--batch 128]
                          [--optimizer adam|sgd] [--lr 0.001] [--fused] [--compile] [--bf16]

notebook:  784-128-10, raw pixels 0..255 in float32, full batch, plain SGD at 0.001, weights
           N(0, 0.01^2); an epoch holds the pass, its accuracy, the gradients and the update.
minibatch: pixels / 255, PyTorch's own initial weights; each epoch a new permutation of the data,
           which lie in one tensor already: rows are picked by `index_select`, no DataLoader.
--compile: `torch.compile` of pass and loss; the compilation falls into the first epochs.
--bf16:    autocast to bfloat16, with the images converted once (0..255 are exact in it).
--fused:   the optimizer's fused CPU kernel.
Prints one JSON line.
"""

import argparse
import os
import time

import mnist

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--work", choices=("notebook", "minibatch"), required=True)
parser.add_argument("--data", required=True, help="folder of MNIST's four .gz files")
parser.add_argument("--epochs", type=int, help="20 for the notebook, 6 for mini-batches")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--hidden", default="128", help="mini-batches only: widths, as in 1024,1024")
parser.add_argument("--batch", type=int, default=128, help="mini-batches only")
parser.add_argument("--optimizer", choices=("adam", "sgd"), default="adam", help="mini-batches only")
parser.add_argument("--lr", type=float, default=0.001)
parser.add_argument("--fused", action="store_true")
parser.add_argument("--compile", action="store_true")
parser.add_argument("--bf16", action="store_true")


def build(torch, widths, notebook):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    if notebook:
        for parameter in model.parameters():
            if parameter.dim() == 2:
                torch.nn.init.normal_(parameter, std=0.01)
            else:
                torch.nn.init.zeros_(parameter)
    return model


def main():
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    notebook = options.work == "notebook"
    epochs = options.epochs or (20 if notebook else 6)
    hidden = [128] if notebook else [int(width) for width in options.hidden.split(",")]
    widths = [784, *hidden, 10]
    scale = 1.0 if notebook else 255.0
    kept = torch.bfloat16 if options.bf16 else torch.float32

    x_train, y_train, x_test, y_test = (torch.tensor(part) for part in mnist.load(options.data))
    x, x_test = ((images.float() / scale).to(kept) for images in (x_train, x_test))
    model = build(torch, widths, notebook)
    kind = torch.optim.SGD if notebook or options.optimizer == "sgd" else torch.optim.Adam
    optimizer = kind(model.parameters(), lr=options.lr, fused=options.fused or None)

    def forward(inputs, labels):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.bf16):
            logits = model(inputs)
        return logits, torch.nn.functional.cross_entropy(logits.float(), labels)

    if options.compile:
        forward = torch.compile(forward)

    def update(inputs, labels):
        """Pass, gradients and update; the logits are those of before the update."""
        optimizer.zero_grad()
        logits, loss = forward(inputs, labels)
        loss.backward()
        optimizer.step()
        return logits.detach()

    seconds, facts = [], {}
    for _ in range(epochs):
        began = time.perf_counter()
        if notebook:
            logits = update(x, y_train)
            facts["train_accuracy"] = (logits.argmax(1) == y_train).float().mean().item()
        else:
            for rows in torch.randperm(len(x)).split(options.batch):
                update(x.index_select(0, rows), y_train.index_select(0, rows))
        seconds.append(time.perf_counter() - began)

    with torch.no_grad():
        logits, test_loss = forward(x_test, y_test)
    mnist.report(
        seconds,
        trainer="torch",
        work=options.work,
        layers=widths,
        batch="full" if notebook else options.batch,
        optimizer=kind.__name__.lower(),
        learning_rate=options.lr,
        mode="compiled" if options.compile else "eager",
        dtype="bf16" if options.bf16 else "f32",
        fused=options.fused,
        threads=options.threads,
        **facts,
        test_loss=test_loss.item(),
        test_accuracy=(logits.argmax(1) == y_test).float().mean().item(),
        torch=torch.__version__,
    )


if __name__ == "__main__":
    main()
