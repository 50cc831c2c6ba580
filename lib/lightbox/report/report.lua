-- A pandoc reader: the blocks of a report (JSON, written by markdown.py) to one
-- document. Every piece of Markdown is parsed by itself, so that an unclosed
-- fence or tag ends with its cell; raw HTML and raw Typst of authors never
-- reach a writer. FORMAT is not set in readers: the format is in the JSON.

local GFM = "gfm+tex_math_dollars-tex_math_gfm-emoji"
local report, format, raw

local function fail(message) error("LIGHTBOX:" .. message .. ":XOBTHGIL", 0) end

-- The one place each where text is escaped for HTML and for Typst.
local function html_escape(text)
  local names = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }
  return (text:gsub('[&<>"]', names))
end
local function typst_string(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

local function is_raw_html(inline)
  return inline and inline.t == "RawInline" and inline.format == "html"
end

-- Math: what pandoc 3.9 writes wrongly for Typst (texmath), mended. -------------

local function clean_tex(tex)
  tex = tex:gsub("\\!", ""):gsub("\\;", "\\:")
  tex = tex:gsub("\\|([^|]-)\\|", "\\lVert %1 \\rVert")
  for _, size in ipairs { "bigg", "Bigg", "big", "Big" } do
    tex = tex:gsub("\\" .. size .. "[lrm]?%s*([%(%)%[%]{}|/\\.])", "%1")
  end
  tex = tex:gsub("\\lvert%f[%A]", "\\left|"):gsub("\\rvert%f[%A]", "\\right|")
  if not (tex:find("\\left|", 1, true) or tex:find("{array}", 1, true)) then
    -- Bars in pairs around a simple term are delimiters, not "divides".
    tex = tex:gsub("(.?)|([%w\\_^{}%+%- ]+)|", function(before, inner)
      local _, open = inner:gsub("{", "")
      local _, close = inner:gsub("}", "")
      if before == "\\" or open ~= close then return nil end
      return before .. "\\left|" .. inner .. "\\right|"
    end)
  end
  return tex
end

-- Typst sets the columns of an alignment without the gaps that TeX leaves.
local function column_gaps(tex)
  tex = tex:gsub("(\\begin{cases})(.-)(\\end{cases})", function(before, body, after)
    return before .. body:gsub("([^\\])&", "%1&\\quad ") .. after
  end)
  return (tex:gsub("(\\begin{(align%a*%*?)})(.-)(\\end{%2})", function(before, _, body, after)
    if body:find("\\begin{", 1, true) then return nil end
    local rows = {}
    for row in (body .. "\\\\"):gmatch("(.-)\\\\") do
      local count = 0
      rows[#rows + 1] = row:gsub("&", function()
        count = count + 1
        return count % 2 == 0 and "&\\qquad " or "&"
      end)
    end
    return before .. table.concat(rows, "\\\\") .. after
  end))
end

local function named_operators(typst, tex)
  local starred = {}
  for name in tex:gmatch("\\operatorname%*%s*(%b{})") do starred[#starred + 1] = name end
  for name in tex:gmatch("\\DeclareMathOperator%*%s*%b{}%s*(%b{})") do
    starred[#starred + 1] = name
  end
  local function plain(name) return (name:gsub("\\[,:; ]", ""):gsub("[{}%s]", "")) end
  local limits = {}
  for _, name in ipairs(starred) do limits[plain(name)] = true end
  local texts = {}
  for name in tex:gmatch("\\text%a*%s*(%b{})") do texts[name:sub(2, -2)] = true end
  for name in tex:gmatch("\\mbox%s*(%b{})") do texts[name:sub(2, -2)] = true end
  return (typst:gsub('([%w%.]*%(?)"([^"]*)"', function(before, name)
    if texts[name] or before:match("%($") or name:match("^%s") or name:match("%s$") then
      return nil
    end
    -- U+2006 is what pandoc writes for the thin space of "arg\,min".
    local bare = name:gsub("\u{2006}", " ")
    local key = bare:gsub("%s", "")
    if not key:match("^%a+$") then return nil end
    local limit = limits[key] and ", limits: #true" or ""
    return before .. 'op("' .. bare .. '"' .. limit .. ")"
  end))
end

local function formula(element)
  local tex = element.text
  for _, definition in ipairs(report.macros) do
    tex = tex:gsub(definition.pattern, "")
  end
  if not tex:match("%S") then return {} end
  local used = {}
  for _, definition in ipairs(report.macros) do
    -- One definition may use another: those are few, so all go along.
    used[#used + 1] = definition.tex
  end
  local names = table.concat(used)
  tex = names .. clean_tex(format == "typst" and column_gaps(tex) or tex)
  local out = pandoc.Math(element.mathtype, tex)
  if format ~= "typst" then return out end
  local typst = pandoc.write(pandoc.Pandoc { pandoc.Plain { out } }, "typst")
  return pandoc.RawInline("typst", (named_operators(typst, tex):gsub("%s+$", "")))
end

-- Text: references, links, pictures, and the HTML that authors wrote. ------------

local function references(cell)
  return function(str)
    if not str.text:find("@", 1, true) then return nil end
    local out, rest = pandoc.Inlines {}, str.text
    while true do
      local first, last, label = rest:find("@([ft][ib][gl]%-[%w_-]*[%w])")
      if not first then break end
      local target = cell.refs[label]
      -- An address such as me@fig-tree.org is no reference.
      local glued = first > 1 and rest:sub(first - 1, first - 1):match("[%w_]")
      if glued then
        out:insert(pandoc.Str(rest:sub(1, last)))
      else
        if first > 1 then out:insert(pandoc.Str(rest:sub(1, first - 1))) end
        if target then
          out:insert(pandoc.Link({ pandoc.Str(target.text) }, "#" .. target.id))
        elseif cell.lenient then
          out:insert(pandoc.Str("@" .. label))
        else
          fail("the text refers to @" .. label .. ", but no output has that label; "
            .. "labels here: " .. cell.known)
        end
      end
      rest = rest:sub(last + 1)
    end
    if #out == 0 then return nil end
    if rest ~= "" then out:insert(pandoc.Str(rest)) end
    return out
  end
end

local function link(element)
  local target = element.target
  if target:match("^https?://") or target:match("^mailto:") then
    return pandoc.Link(element.content, target)
  end
  if target:sub(1, 1) == "#" then
    for _, id in pairs(report.ids) do
      if "#" .. id == target then return pandoc.Link(element.content, target) end
    end
    local id = report.headings[target:sub(2):lower()]
    if id then return pandoc.Link(element.content, "#" .. id) end
  end
  return pandoc.Span(element.content)
end

local function image(cell)
  return function(element)
    local name = element.src:match("^attachment:(.*)$")
    local source = name and cell.pictures[name]
    if source then return pandoc.Image(element.caption, source) end
    local alt = #element.caption > 0 and element.caption or { pandoc.Str(element.src) }
    if element.src:match("^https?://") then return pandoc.Link(alt, element.src) end
    fail("the picture " .. element.src .. " lies outside the notebook; "
      .. "paste it into the cell, or draw it in a code cell")
  end
end

local PAIRS = {
  sub = pandoc.Subscript, sup = pandoc.Superscript, b = pandoc.Strong,
  strong = pandoc.Strong, i = pandoc.Emph, em = pandoc.Emph, u = pandoc.Underline,
}

local function pair_tags(inlines)
  local out, i = pandoc.Inlines {}, 1
  while i <= #inlines do
    local item = inlines[i]
    if not is_raw_html(item) then
      out:insert(item)
    elseif item.text:match("^<br%s*/?>") then
      out:insert(pandoc.LineBreak())
    elseif item.text:match("^<img[%s/]") then
      local read = pandoc.utils.blocks_to_inlines(pandoc.read(item.text, "html").blocks)
      out:extend(read)
    else
      local tag = item.text:match("^<(%a+)[^>]*>$")
      local close
      if tag and PAIRS[tag] then
        for j = i + 1, #inlines do
          if is_raw_html(inlines[j]) and inlines[j].text == "</" .. tag .. ">" then
            close = j
            break
          end
        end
      end
      if close then
        local inside = pandoc.Inlines {}
        for j = i + 1, close - 1 do inside:insert(inlines[j]) end
        out:insert(PAIRS[tag](pair_tags(inside)))
        i = close
      end
    end
    i = i + 1
  end
  return out
end

local function raw_block(element)
  if element.format ~= "html" then return {} end
  return pandoc.read(element.text, "html").blocks:walk {
    RawInline = function() return {} end,
    RawBlock = function() return {} end,
  }
end

local function bare_attributes(element)
  element.attr = pandoc.Attr()
  return element
end

-- A table of Markdown is text, not a numbered float.
local function text_table(element)
  if format ~= "typst" then return nil end
  local typst = pandoc.write(pandoc.Pandoc { element }, "typst")
  local inner = typst:match("^#figure%(%s*align%(center%)%[#(table.*)%]%s*, kind: table%s*%)%s*$")
  return pandoc.RawBlock("typst", inner and "#text-table(" .. inner .. ")" or typst)
end

-- An escaped @ opens no reference: names from data may hold one. pandoc tells it from
-- another no more once it has read the text, so that a sign of our own takes its place.
local AT = "\u{E000}"

local function hide_escaped_at(text)
  return (text:gsub("\\(.)", function(sign)
    return sign == "@" and AT or "\\" .. sign
  end))
end

-- In code and formulas a backslash is a backslash.
local function verbatim_at(element)
  element.text = element.text:gsub(AT, "\\@")
  return element
end

local function show_at(str)
  return pandoc.Str((str.text:gsub(AT, "@")))
end

-- Parse one cell's Markdown to blocks that every writer can take.
local function parse(cell)
  local smart = report.language == "en" and "+smart" or ""
  local doc = pandoc.read(hide_escaped_at(cell.text), GFM .. smart)
  doc = doc:walk { Code = verbatim_at, CodeBlock = verbatim_at, Math = verbatim_at }
  doc = doc:walk { RawBlock = raw_block }
  doc = doc:walk { Inlines = pair_tags }
  doc = doc:walk {
    Header = bare_attributes, Div = bare_attributes, Span = bare_attributes,
    Code = bare_attributes, Table = bare_attributes,
    CodeBlock = function(e)
      e.attr = pandoc.Attr("", { e.classes[1] })
      return e
    end,
  }
  return doc
end

local function finish(doc, cell)
  return doc:walk {
    Math = formula, Str = references(cell), Image = image(cell), Link = link,
  }:walk { Str = show_at }:walk { Table = text_table }
end

local function inlines(text, cell)
  local doc = finish(parse { text = text }, cell)
  return pandoc.utils.blocks_to_inlines(doc.blocks)
end

-- The kinds of blocks. -----------------------------------------------------------

local kinds = {}

function kinds.markdown(cell)
  return finish(cell.doc, cell).blocks
end

function kinds.heading(cell)
  local classes = cell.unnumbered and { "unnumbered" } or {}
  return { pandoc.Header(cell.level, inlines(cell.text, cell), pandoc.Attr(cell.id, classes)) }
end

function kinds.raw(cell)
  if format == "docx" then return pandoc.read(cell.text, "html").blocks end
  return { pandoc.RawBlock(raw, cell.text) }
end

function kinds.plain(cell) return { pandoc.Para { pandoc.Str(cell.text) } } end

function kinds.callout(cell)
  local out = pandoc.Blocks {}
  if format == "typst" then
    out:insert(pandoc.RawBlock("typst",
      "#callout(" .. typst_string(cell.tone) .. ", " .. typst_string(cell.title) .. ")["))
    out:extend(kinds.markdown(cell))
    out:insert(pandoc.RawBlock("typst", "]"))
  elseif format == "html" then
    out:insert(pandoc.RawBlock("html", '<aside class="callout ' .. cell.tone
      .. '"><p class="callout-title">' .. html_escape(cell.title) .. "</p>"))
    out:extend(kinds.markdown(cell))
    out:insert(pandoc.RawBlock("html", "</aside>"))
  else
    local body = pandoc.Blocks { pandoc.Para { pandoc.Strong { pandoc.Str(cell.title) } } }
    body:extend(kinds.markdown(cell))
    out:insert(pandoc.BlockQuote(body))
  end
  return out
end

function kinds.stop(cell)
  if format == "typst" then
    return { pandoc.RawBlock("typst", "#stopped(" .. typst_string(cell.title) .. ", "
      .. typst_string(cell.text) .. ")") }
  elseif format == "html" then
    return { pandoc.RawBlock("html", '<aside class="callout stopped" role="alert">'
      .. '<p class="callout-title">' .. html_escape(cell.title) .. "</p><p>"
      .. html_escape(cell.text) .. "</p></aside>") }
  end
  return { pandoc.BlockQuote { pandoc.Para {
    pandoc.Strong { pandoc.Str(cell.title .. ": ") }, pandoc.Str(cell.text) } } }
end

function kinds.text(cell) return { pandoc.CodeBlock(cell.text) } end

function kinds.code(cell)
  return {
    pandoc.RawBlock("html", '<details class="code"><summary>'
      .. html_escape(cell.title) .. "</summary>"),
    pandoc.CodeBlock(cell.text),
    pandoc.RawBlock("html", "</details>"),
  }
end

local function caption(cell)
  local out = pandoc.Inlines {}
  if cell.number ~= "" then
    local label = pandoc.Inlines { pandoc.Str(cell.number) }
    if cell.caption ~= "" then label:insert(pandoc.Str(report.stop)) end
    if format == "html" then
      out:insert(pandoc.RawInline("html", '<span class="label">'))
      out:extend(label)
      out:insert(pandoc.RawInline("html", "</span>"))
    else
      out:insert(pandoc.Strong(label))
    end
    if cell.caption ~= "" and report.language == "en" then out:insert(pandoc.Space()) end
  end
  out:extend(inlines(cell.caption, cell))
  return out
end

function kinds.figure(cell)
  local text = caption(cell)
  local alt = cell.number .. ". " .. pandoc.utils.stringify(inlines(cell.caption, cell))
  if format == "typst" then
    local out = pandoc.Inlines { pandoc.RawInline("typst", "#picture("
      .. table.concat({ typst_string(cell.id), typst_string(cell.source),
        typst_string(alt) }, ", ") .. ")[") }
    out:extend(text)
    out:insert(pandoc.RawInline("typst", "]"))
    return { pandoc.Plain(out) }
  elseif format == "html" then
    local id = cell.id ~= "" and ' id="' .. cell.id .. '"' or ""
    local out = pandoc.Inlines { pandoc.RawInline("html", "<figure" .. id
      .. '><img alt="' .. html_escape(alt) .. '" src="' .. cell.source .. '">') }
    if #text > 0 then
      out:insert(pandoc.RawInline("html", "<figcaption>"))
      out:extend(text)
      out:insert(pandoc.RawInline("html", "</figcaption>"))
    end
    out:insert(pandoc.RawInline("html", "</figure>"))
    return { pandoc.Plain(out) }
  end
  local picture = pandoc.Image({ pandoc.Str(alt) }, cell.source)
  return { pandoc.Figure(pandoc.Plain { picture }, { pandoc.Plain(text) },
    pandoc.Attr(cell.id)) }
end

function kinds.table(cell)
  local text = caption(cell)
  if format == "typst" then
    local out = pandoc.Inlines { pandoc.RawInline("typst", "#data-table("
      .. typst_string(cell.id) .. ", " .. typst_string(cell.source) .. ")[") }
    out:extend(text)
    out:insert(pandoc.RawInline("typst", "]"))
    return { pandoc.Plain(out) }
  elseif format == "html" then
    local id = cell.id ~= "" and ' id="' .. cell.id .. '"' or ""
    local out = pandoc.Inlines { pandoc.RawInline("html",
      "<figure" .. id .. ' class="table">') }
    if #text > 0 then
      out:insert(pandoc.RawInline("html", "<figcaption>"))
      out:extend(text)
      out:insert(pandoc.RawInline("html", "</figcaption>"))
    end
    out:insert(pandoc.RawInline("html", '<div class="scroll" tabindex="0">'
      .. cell.source .. "</div></figure>"))
    return { pandoc.Plain(out) }
  end
  local blocks = pandoc.read(cell.source, "html").blocks
  blocks[1].caption = pandoc.Caption { pandoc.Plain(text) }
  blocks[1].attr = pandoc.Attr(cell.id)
  return blocks
end

-- Give every heading its level and an id of its own, before links are resolved.
local function number_headings(cell)
  cell.doc.blocks = cell.doc.blocks:walk {
    Header = function(element)
      element.level = math.max(element.level + cell.shift, cell.top)
      report.count = report.count + 1
      element.identifier = cell.prefix .. "section-" .. report.count
      local slug = pandoc.utils.stringify(element.content):gsub("%s", "-"):lower()
      report.headings[slug] = element.identifier
      return element
    end,
  }
end

-- A last sentence that introduces a float stays with it: alone at the foot of a page, it
-- and its heading would wait for what the reader finds overleaf.
local function stay_with_float(made, follower)
  local last = made[#made]
  if not (follower and last and last.t == "Para") then return made end
  if follower.kind ~= "figure" and follower.kind ~= "table" then return made end
  made[#made] = pandoc.RawBlock("typst", "#block(sticky: true, spacing: auto)[")
  made:insert(last)
  made:insert(pandoc.RawBlock("typst", "]"))
  return made
end

function Reader(input)
  report = pandoc.json.decode(tostring(input), false)
  format = report.format
  raw = format == "html" and "html" or "typst"
  report.headings, report.count = {}, 0
  for _, cell in ipairs(report.blocks) do
    if cell.kind == "markdown" or cell.kind == "callout" then
      cell.doc = parse(cell)
      number_headings(cell)
    end
  end
  local blocks = pandoc.Blocks {}
  for place, cell in ipairs(report.blocks) do
    local made = kinds[cell.kind](cell)
    if format == "typst" and cell.kind == "markdown" then
      made = stay_with_float(made, report.blocks[place + 1])
    end
    blocks:extend(made)
  end
  local meta = {}
  for name, text in pairs(report.meta) do meta[name] = pandoc.MetaString(text) end
  return pandoc.Pandoc(blocks, meta)
end
