import OrderedCollections

extension SectionModel {
    /// The reference page: every section with a table of its settings.
    public func markdown(title: String) -> String {
        var page = MarkdownPage(title: title)
        page.add(self, path: [])
        return page.text
    }
}

/// A page of Markdown tables while sections are added to it.
private struct MarkdownPage {
    private(set) var text: String

    init(title: String) { text = "# \(title.inMarkdown)\n" }

    mutating func add(_ section: SectionModel, path: SettingPath) {
        if !path.isEmpty {
            text += "\n## `[\(path.joined(separator: "."))]`\n"
            let notes = [
                section.summary.inMarkdown,
                section.isOptional ? "May be left out as a whole." : "",
                section.isOpen ? "Other keys are let through as text." : "",
            ].filter { !$0.isEmpty }
            if !notes.isEmpty { text += "\n\(notes.joined(separator: " "))\n" }
        }
        var rows = Array(section.settings.values.map { ("`\($0.name)`", $0) })
        rows += section.patterns.compactMap { pattern in pattern.setting.map { ("any name matching \(pattern.pattern.source.inCode)", $0) }
        }
        if let any = section.anySetting { rows.append(("any name", any)) }
        if !rows.isEmpty {
            text += "\n| Key | Type | Default | Rules | Takes effect | Description |\n| --- | --- | --- | --- | --- | --- |\n"
            for (name, setting) in rows { text += row(name, setting) }
        }
        if !section.rules.isEmpty {
            text += "\n" + section.rules.map { "- \($0.name.inMarkdown)\($0.severity == .warning ? " (a warning)" : "")\n" }.joined()
        }
        for (name, child) in section.sections { add(child, path: path + [name]) }
        for pattern in section.patterns {
            if let child = pattern.section { add(child.value, path: path + ["/\(pattern.pattern.source)/"]) }
        }
        if let any = section.anySection { add(any.value, path: path + ["NAME"]) }
    }

    private func row(_ name: String, _ setting: SettingModel) -> String {
        var rules = setting.isRequired ? ["**required**"] : []
        if setting.isSecret { rules.append("secret") }
        rules += setting.constraints.map { $0.requirement.inMarkdown + ($0.severity == .warning ? " (a warning)" : "") }
        let cells = [
            name, setting.kind.summary.inMarkdown, setting.shownDefault, rules.joined(separator: "; "),
            setting.effect == .restart ? "after a restart" : "at once",
            [setting.replacement.map { "Deprecated: use `\($0)`." }, setting.summary.inMarkdown].compactMap(\.self).joined(separator: " "),
        ]
        return "| " + cells.map { $0.isEmpty ? " " : $0 }.joined(separator: " | ") + " |\n"
    }
}

extension SettingModel {
    /// The default as the page shows it; a secret has none to show, and a required setting's does not count.
    fileprivate var shownDefault: String {
        guard let defaultValue, !isSecret, !isRequired else { return "" }
        let text = defaultValue.description
        return text.isEmpty ? "empty" : text.inCode
    }
}

extension String {
    /// Plain text inside a table or a heading: nothing in it is read as markup.
    fileprivate var inMarkdown: String {
        var text = ""
        for scalar in VisibleText.of(self).unicodeScalars {
            if "\\|*_`<>[]#".unicodeScalars.contains(scalar) { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        return text
    }

    /// Code inside a table; the fence is longer than any row of backticks in it.
    fileprivate var inCode: String {
        let text = VisibleText.of(self).replacing("|", with: "\\|")
        let longest = text.split(whereSeparator: { $0 != "`" }).map(\.count).max() ?? 0
        guard longest > 0 else { return "`\(text)`" }
        let fence = String(repeating: "`", count: longest + 1)
        return "\(fence) \(text) \(fence)"
    }
}
