zenctl {
  project = "machines"
  defaults { orchestrator = backend.local.here }
}

backend "machines" "a" {
  kind = "fast"
}

backend "machines" "b" {
  kind = "fast"
}

backend "local" "here" {}

step "python" "one" {
  code = "steps.py:one"
  backend = backend.machines.a
}

step "python" "two" {
  code   = "steps.py:two"
  params = { n = step.python.one.result }
}

step "python" "three" {
  code   = "steps.py:three"
  params = { n = 3 }
  backend = backend.machines.b
}
