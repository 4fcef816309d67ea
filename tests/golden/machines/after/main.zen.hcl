zenctl {
  project = "machines"
  defaults { orchestrator = backend.machines.vm }
}

backend "machines" "vm" {
  kind  = "small"
  price = 0.19
}

step "python" "one" {
  code = "steps.py:one"
}

step "python" "two" {
  code   = "steps.py:two"
  params = { n = step.python.one.result }
}

step "python" "three" {
  code   = "steps.py:three"
  params = { n = 3 }
}
