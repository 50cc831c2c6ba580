-- A pandoc reader: the blocks of a report (JSON, written by markdown.py) to one
-- document. Every piece of Markdown is parsed by itself, so that an unclosed
-- fence or tag ends with its cell; raw HTML and raw Typst of authors never
-- reach a writer. FORMAT is not set in readers: the format is in the JSON.

local GFM = "gfm+tex_math_dollars-tex_math_gfm-emoji"
local report, format

local function fail(message) error("LIGHTBOX:" .. message .. ":XOBTHGIL", 0) end

-- The one place each where text is escaped for HTML and for Typst.
local function html_escape(text)
  local names = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }
  return (text:gsub('[&<>"]', names))
end
local function typst_string(text)
  return '"' .. text:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"'
end

-- Raw text of the format before and after blocks, or inlines in a block of their own.
local function boxed(before, blocks, after)
  blocks:insert(1, pandoc.RawBlock(format, before))
  blocks:insert(pandoc.RawBlock(format, after))
  return blocks
end
local function enclosed(before, inlines, after)
  inlines:insert(1, pandoc.RawInline(format, before))
  inlines:insert(pandoc.RawInline(format, after))
  return { pandoc.Plain(inlines) }
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
  -- One definition may use another: those are few, so all go along.
  local known = ""
  for _, definition in ipairs(report.macros) do known = known .. definition.tex end
  tex = known .. clean_tex(format == "typst" and column_gaps(tex) or tex)
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
    local name = target:sub(2)
    local id = pandoc.List(report.ids):includes(name) and name
      or report.headings[name:lower()]
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
  return { pandoc.RawBlock(format, cell.text) }
end

function kinds.plain(cell) return { pandoc.Para { pandoc.Str(cell.text) } } end

function kinds.text(cell) return { pandoc.CodeBlock(cell.text) } end

function kinds.code(cell)
  return boxed('<details class="code"><summary>' .. html_escape(cell.title) .. "</summary>",
    pandoc.Blocks { pandoc.CodeBlock(cell.text) }, "</details>")
end

local function aside(classes, title)
  return '<aside class="callout ' .. classes .. '><p class="callout-title">'
    .. html_escape(title) .. "</p>"
end

function kinds.callout(cell)
  local body = kinds.markdown(cell)
  if format == "typst" then
    return boxed("#callout(" .. typst_string(cell.tone) .. ", " .. typst_string(cell.title)
      .. ")[", body, "]")
  elseif format == "html" then
    return boxed(aside(cell.tone .. '"', cell.title), body, "</aside>")
  end
  body:insert(1, pandoc.Para { pandoc.Strong { pandoc.Str(cell.title) } })
  return { pandoc.BlockQuote(body) }
end

function kinds.stop(cell)
  if format == "typst" then
    return { pandoc.RawBlock("typst", "#stopped(" .. typst_string(cell.title) .. ", "
      .. typst_string(cell.text) .. ")") }
  elseif format == "html" then
    return { pandoc.RawBlock("html", aside('stopped" role="alert"', cell.title) .. "<p>"
      .. html_escape(cell.text) .. "</p></aside>") }
  end
  return { pandoc.BlockQuote { pandoc.Para {
    pandoc.Strong { pandoc.Str(cell.title .. ": ") }, pandoc.Str(cell.text) } } }
end

-- Number and caption of a float; empty where it has neither.
local function caption(cell)
  local out = pandoc.Inlines {}
  local english = report.language == "en"
  if cell.number ~= "" then
    local label = cell.number
    if cell.caption ~= "" then label = label .. (english and "." or "\u{3000}") end
    if format == "html" then
      out:insert(pandoc.RawInline("html", '<span class="label">'))
      out:insert(pandoc.Str(label))
      out:insert(pandoc.RawInline("html", "</span>"))
    else
      out:insert(pandoc.Strong { pandoc.Str(label) })
    end
    if cell.caption ~= "" and english then out:insert(pandoc.Space()) end
  end
  out:extend(inlines(cell.caption, cell))
  return out
end

local function typst_float(name, cell, alt)
  local given = { typst_string(cell.id), typst_string(cell.source), alt and typst_string(alt) }
  return enclosed("#" .. name .. "(" .. table.concat(given, ", ") .. ")[", caption(cell), "]")
end

-- A figure's caption stands below it, a table's above.
local function html_float(cell, classes, above, below)
  local id = cell.id ~= "" and ' id="' .. cell.id .. '"' or ""
  local text = caption(cell)
  if #text > 0 then above, below = above .. "<figcaption>", "</figcaption>" .. below end
  return enclosed("<figure" .. id .. classes .. ">" .. above, text, below .. "</figure>")
end

function kinds.figure(cell)
  local alt = cell.number .. ". " .. pandoc.utils.stringify(inlines(cell.caption, cell))
  if format == "typst" then return typst_float("picture", cell, alt) end
  if format == "html" then
    local img = '<img alt="' .. html_escape(alt) .. '" src="' .. cell.source .. '">'
    return html_float(cell, "", img, "")
  end
  local picture = pandoc.Image({ pandoc.Str(alt) }, cell.source)
  return { pandoc.Figure(pandoc.Plain { picture }, { pandoc.Plain(caption(cell)) },
    pandoc.Attr(cell.id)) }
end

function kinds.table(cell)
  if format == "typst" then return typst_float("data-table", cell) end
  if format == "html" then
    local rows = '<div class="scroll" tabindex="0">' .. cell.source .. "</div>"
    return html_float(cell, ' class="table"', "", rows)
  end
  local blocks = pandoc.read(cell.source, "html").blocks
  blocks[1].caption = pandoc.Caption { pandoc.Plain(caption(cell)) }
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
  made[#made] = nil
  made:extend(boxed("#block(sticky: true, spacing: auto)[", pandoc.Blocks { last }, "]"))
  return made
end

function Reader(input)
  report = pandoc.json.decode(tostring(input), false)
  format = report.format
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
