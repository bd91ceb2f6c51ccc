variable "bucket" {
  description = "The name of the bucket."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "The name of a bucket has 3 to 63 lower-case letters, digits, dots, _ and -, and begins and ends with a letter or digit."
  }
}

variable "prefix" {
  description = "The folder of all datasets in the bucket, such as datasets or teams/news; empty for the whole bucket."
  type        = string
  default     = ""

  validation {
    condition     = var.prefix == "" || can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.prefix))
    error_message = "A prefix is made of letters, digits, _ and -, with a slash between two folders and none at its ends."
  }
}
