def use() -> int:
    return 1
