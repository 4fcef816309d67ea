from abc import ABC, abstractmethod


class Net(ABC):
    def __init__(self, config):
        self.config = config
        self.weights = self.initial()

    @abstractmethod
    def initial(self): ...

    @abstractmethod
    def __call__(self, x): ...

    def learn(self, x, error, rate):
        self.weights = [w - rate * error * g for w, g in zip(self.weights, self.gradient(x))]

    def gradient(self, x):
        return [1.0 for _ in self.weights]

    def describe(self):
        return type(self).__name__

    def __len__(self):
        return len(self.weights)
