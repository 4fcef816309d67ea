a = [for x : x]
b = {for x in y : x}
c = [for x in y : x => x]
d = [for x in y : x...]
e = {for = 1}
f = [for x, y, z in w : x]
