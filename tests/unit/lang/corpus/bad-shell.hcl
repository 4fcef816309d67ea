a = "${VAR:-default}"
b = "$(date)"
c = "%{http_code}"
