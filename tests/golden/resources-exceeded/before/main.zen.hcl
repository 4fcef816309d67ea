zenctl {
  project = "resources"
}

backend "local" "small" {
  cpus   = 2
  memory = "4GiB"
}

step "python" "use" {
  code      = "use.py:use"
  backend   = backend.local.small
  resources = { cpu = 1, memory = "1GiB" }
}
