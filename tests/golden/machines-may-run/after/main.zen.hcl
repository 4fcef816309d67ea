zenctl {
  project = "machines"
  defaults { orchestrator = backend.local.here }
}

backend "machines" "vm" {
  kind  = "small"
  price = 0.19
}

backend "local" "here" {}

step "python" "one" {
  code = "steps.py:one"
}

step "python" "two" {
  code   = "steps.py:two"
  params = { n = step.python.one.result }
  backend = backend.machines.vm
}

step "python" "three" {
  code   = "steps.py:three"
  params = { n = 3 }
}
