# What is done for one island. Paths of code are relative to this folder.

variable "penguins" {
  description = "All penguins, as a data set."
}

variable "name" {
  type = string
}

variable "least" {
  description = "How many penguins a line needs."
  type        = number
}

step "python" "choose" {
  code   = "steps/choose.py:of_island"
  inputs = { penguins = var.penguins }
  params = { island = var.name }
}

step "python" "line" {
  code   = "steps/line.py:fit"
  inputs = { penguins = step.python.choose.chosen }

  lifecycle {
    postcondition {
      condition     = self.result.value.penguins >= var.least
      error_message = "${var.name} has ${self.result.value.penguins} penguins; a line needs ${var.least}."
    }
  }
}

output "line" {
  description = "`slope` in grams a millimetre, `intercept` in grams, and of how many `penguins`."
  value       = step.python.line.result.value
}
