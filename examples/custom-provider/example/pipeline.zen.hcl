zenctl {
  project = "custom-provider"
  required_providers {
    detached = ">= 1.0"
  }
  defaults {
    orchestrator = backend.detached.here
  }
}

provider "detached" {
  grace = 5
}

backend "detached" "here" {
  launcher = ["nice", "-n", "5"]
}

step "python" "square" {
  code   = "steps/square.py:square"
  params = { number = 12 }
}

output "square" {
  value = step.python.square.result
}
