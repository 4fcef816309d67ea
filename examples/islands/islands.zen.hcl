# One model an island: how heavy is a penguin, by the length of its flippers?
#
# What is done for an island stands once, in the module ./island, and is called for each island with for_each. Add an
# island to the variable, and plan names the steps of that island and nothing else.

zenctl {
  required_version = ">= 0.1"
  project          = "islands"
}

variable "islands" {
  description = "Which islands to look at, each with a name for people."
  type        = map(object({ label = string, least = optional(number, 30) }))
  default = {
    Biscoe    = { label = "Biscoe Island" }
    Dream     = { label = "Dream Island" }
    Torgersen = { label = "Torgersen Island", least = 20 }
  }

  validation {
    condition     = length(var.islands) > 0
    error_message = "Name one island at least."
  }
}

datasource "csv" "penguins" {
  path = "data/penguins.csv"
}

module "island" {
  source   = "./island"
  for_each = var.islands

  penguins = datasource.csv.penguins
  name     = each.key
  least    = each.value.least
}

# An instance is one island's: module.island["Dream"].line. Here each is looked at, in the order of the names.
output "grams_a_millimetre" {
  description = "What one millimetre of flipper adds to the weight, by island."
  value       = { for name, island in module.island : var.islands[name].label => island.line.slope }
}

output "penguins" {
  value = sum([for island in module.island : island.line.penguins])
}

# Only warns: what is odd is worth knowing, and no reason to stop.
check "flippers_matter" {
  assert {
    condition     = alltrue([for island in module.island : island.line.slope > 0])
    error_message = "On an island, penguins with longer flippers are not heavier."
  }
}
