import json
import logging
from html.parser import HTMLParser


class Sink:
    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += clean(text)

    def flush(self):
        self.text = ""


def clean(text):
    return text.strip()


class Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_data(self, data):
        self.found.append(data)

    def handle_comment(self, data):
        self.found.append(data)


class Memory(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(self.format(record))


class Encoder(json.JSONEncoder):
    def default(self, value):
        return as_list(value)


def as_list(value):
    return sorted(value)


class Counter:
    def __init__(self):
        self.counts = {}

    def add(self, key):
        self.counts[key] = self.counts.get(key, 0) + 1

    def count(self, key):
        return self.counts[key]

    def most(self):
        return max(self.counts, key=self.counts.get)

    def clear(self):
        self.counts = {}
