from math import isfinite


class Callback:
    def started(self, trainer):
        return None

    def stepped(self, trainer, loss):
        return None

    def ended(self, trainer):
        return None


class History(Callback):
    def __init__(self):
        self.losses = []

    def stepped(self, trainer, loss):
        self.losses.append(loss)

    def last(self):
        return round(self.losses[-1], 6)

    def plot(self):
        return "".join("#" for _ in self.losses)


class Early(Callback):
    def __init__(self, patience):
        self.patience = patience
        self.best = None
        self.waited = 0

    def stepped(self, trainer, loss):
        if self.best is None or loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            trainer.stop()


class Verbose(Callback):
    def stepped(self, trainer, loss):
        print(loss)


class Trainer:
    def __init__(self, net, config, callbacks=()):
        self.net = net
        self.config = config
        self.callbacks = list(callbacks)
        self.stopped = False

    def fit(self, rows):
        self._tell("started")
        for _ in range(self.config.epochs):
            loss = self._epoch(rows)
            for callback in self.callbacks:
                callback.stepped(self, loss)
            if self.stopped or not isfinite(loss):
                break
        self._tell("ended")

    def _epoch(self, rows):
        total = 0.0
        for x, y in rows:
            error = self.net(x) - y
            total += error**2
            self.net.learn(x, error, self.config.rate)
        return total / len(rows)

    def _tell(self, event):
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def stop(self):
        self.stopped = True

    def resume(self):
        self.stopped = False

    def save(self, path):
        with open(path, "w") as stream:
            stream.write(repr(self.net.weights))
