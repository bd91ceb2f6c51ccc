# What the server does by itself: automations.yaml. What it names there, a deployment as flow/name and the block of the webhook,
# has an id here. An automation that needs the webhook is there where a webhook is.

locals {
  has_webhook = nonsensitive(var.webhook_url != null)
  blocks      = local.has_webhook ? { "webhook/groupstream-webhook" = prefect_block.webhook[0].id } : {}

  automations = {
    for each in yamldecode(file("${local.checkout}/automations.yaml")).automations : each.name => each
    if local.has_webhook || alltrue([for action in each.actions : !can(action.block)])
  }
  within = { for name, each in local.automations : name =>
  endswith(name, "-starts") ? coalesce(var.starting_seconds, each.trigger.within) : each.trigger.within }

  # What the file says in words, "within ten minutes", is said of the other time, too.
  words = { for name, seconds in local.within : name => "within ${seconds % 60 == 0 ? "${seconds / 60} minutes" : "${seconds} seconds"}" }
  texts = { for name, each in local.automations : name =>
    { for text in distinct(concat([each.description], [for action in each.actions : try(action.message, "")])) : text =>
  local.within[name] == each.trigger.within ? text : replace(text, "/within \\w+ (minutes|seconds)/", local.words[name]) } }
}

resource "prefect_automation" "this" {
  for_each = local.automations

  name        = each.key
  description = local.texts[each.key][each.value.description]
  enabled     = each.value.enabled

  trigger = {
    event = {
      posture       = each.value.trigger.posture
      match         = jsonencode(try(each.value.trigger.match, {}))
      match_related = jsonencode(try(each.value.trigger.match_related, {}))
      after         = try(each.value.trigger.after, [])
      expect        = each.value.trigger.expect
      for_each      = try(each.value.trigger.for_each, [])
      threshold     = each.value.trigger.threshold
      within        = local.within[each.key]
    }
  }

  actions = [for action in each.value.actions : {
    type              = action.type
    state             = try(action.state, null)
    name              = try(action.name, null)
    message           = try(local.texts[each.key][action.message], null)
    source            = try(action.source, null)
    deployment_id     = can(action.deployment) ? prefect_deployment.this[action.deployment].id : null
    parameters        = can(action.parameters) ? jsonencode(action.parameters) : null
    block_document_id = can(action.block) ? local.blocks[action.block] : null
    payload           = try(action.payload, null)
  }]

  lifecycle {
    ignore_changes = [enabled] # who switches one on or off in the UI is not overruled
  }
}

resource "prefect_block" "webhook" {
  count = local.has_webhook ? 1 : 0

  name      = "groupstream-webhook"
  type_slug = "webhook"
  data      = jsonencode({ method = "POST", url = var.webhook_url })
}
