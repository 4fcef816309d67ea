"""Hands objects to the standard library, which calls their methods by names that stand nowhere here."""
import csv
import io
import json
import logging
import threading

from handlers import Counter, Encoder, Memory, Sink, Texts


class Job(threading.Thread):
    def __init__(self):
        super().__init__()
        self.result = None

    def run(self):
        self.result = work()

    def cancel(self):
        self.result = None


def work():
    return 4


def fit():
    sink = Sink()
    csv.writer(sink).writerow([1, 2])
    texts = Texts()
    texts.feed("<p>a</p>")
    memory = Memory()
    log = logging.Logger("fit")
    log.addHandler(memory)
    log.warning("w")
    job = Job()
    job.start()
    job.join()
    counter = Counter()
    counter.add("a")
    return [sink.text, texts.found, memory.lines, job.result, json.dumps({"x": {1}}, cls=Encoder), counter.count("a")]


def read(text):
    return list(csv.reader(io.StringIO(text)))


def main():
    print(fit())


if __name__ == "__main__":
    main()
