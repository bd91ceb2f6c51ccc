# One role for each of the three. There are no keys: workloads and people assume the role.

locals {
  policies = {
    reader     = data.aws_iam_policy_document.reader.json
    writer     = data.aws_iam_policy_document.writer.json
    maintainer = data.aws_iam_policy_document.maintainer.json
  }
  trusted = { for role, arns in { reader = var.readers, writer = var.writers, maintainer = var.maintainers } : role => arns if length(arns) > 0 }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.trusted

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "AWS"
      identifiers = each.value
    }
  }
}

resource "aws_iam_policy" "role" {
  for_each = local.policies

  name        = "${var.bucket}-groupstream-${each.key}"
  description = "What a ${each.key} of datasets may do in ${var.bucket}"
  policy      = each.value
  tags        = var.tags
}

resource "aws_iam_role" "role" {
  for_each = local.trusted

  name               = "${var.bucket}-groupstream-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "role" {
  for_each = local.trusted

  role       = aws_iam_role.role[each.key].name
  policy_arn = aws_iam_policy.role[each.key].arn
}
