import Foundation
import PlueDocuments
import Testing

/// INI files that others wrote, where Debian's packages install them (scripts/test-packages.txt): what is in our dialect reads as
/// a plain reading of its lines says, and what is not is refused at the right places.
@Suite("A corpus of real files")
struct CorpusTests {
    /// A file in our dialect, with a few of its values as a person reads them.
    struct Accepted: CustomTestStringConvertible, Sendable {
        let path: String
        let sections: Int
        let entries: Int
        let values: [String: String]
        var testDescription: String { path }
    }

    static let accepted = [
        Accepted(
            path: "/etc/fail2ban/fail2ban.conf", sections: 3, entries: 8, values: ["DEFAULT.loglevel": "INFO", "DEFAULT.dbpurgeage": "1d"]),
        Accepted(
            path: "/etc/fail2ban/paths-debian.conf", sections: 2, entries: 10,
            values: [
                "INCLUDES.before": "paths-common.conf", "DEFAULT.syslog_mail_warn": "%(syslog_mail)s",
                "DEFAULT.syslog_user": "/var/log/user.log",
            ]),
        Accepted(path: "/etc/mercurial/hgrc.d/default-tools.rc", sections: 2, entries: 2, values: ["ui.editor": "sensible-editor"]),
        Accepted(path: "/lib/systemd/system/apt-daily.timer", sections: 3, entries: 5, values: ["Timer.OnCalendar": "*-*-* 6,18:00"]),
        Accepted(path: "/usr/share/python3/debian_defaults", sections: 1, entries: 4, values: ["DEFAULT.default-version": "python3.11"]),
        // UTF-8 beyond ASCII, and indented keys.
        Accepted(
            path: "/usr/share/mc/skins/nicedark.ini", sections: 16, entries: 111,
            values: ["widget-editor.window-close-char": "✕", "widget-panel.history-prev-item-char": "«"]),
        // `#` at the start of values and `;` inside them: no comments.
        Accepted(
            path: "/usr/share/mc/skins/seasons-spring16M.ini", sections: 18, entries: 152,
            values: ["aliases.Main": "#f3ffe7", "core._default_": "MainFg;Main"]),
        Accepted(path: "/usr/share/geany/filedefs/filetypes.common", sections: 3, entries: 90, values: ["styling.translucency": "256;256"]),
        Accepted(
            path: "/usr/share/geany/filedefs/filetypes.html", sections: 6, entries: 83,
            values: ["build_settings.compiler": "tidy %f >/dev/null", "styling.html_default": "default"]),
        // A whole value in quotes, and quotes inside a bare one.
        Accepted(
            path: "/usr/share/geany/filedefs/filetypes.ada", sections: 5, entries: 21,
            values: ["build_settings.run_cmd": "./%e", "build_settings.linker": #"gnatmake "%e""#]),
        Accepted(
            path: "/usr/share/geany/colorschemes/alt.conf", sections: 2, entries: 69,
            values: ["theme_info.author": "", "named_styles.default": "0x000000;0xffffff;false;false"]),
    ]

    /// A file of another dialect, with its first mistake: the line is named by its text, since an update may move it.
    struct Refused: CustomTestStringConvertible, Sendable {
        let path: String
        let first: SyntaxProblem.Code
        let line: String
        let columns: Range<Int>
        let codes: Set<SyntaxProblem.Code>
        var testDescription: String { path }
    }

    static let refused = [
        // Dots in keys, spaces in sections' names.
        Refused(
            path: "/usr/lib/php/8.2/php.ini-development", first: .invalidName, line: "zlib.output_compression = Off", columns: 1..<24,
            codes: [.invalidName]),
        Refused(
            path: "/usr/lib/php/8.2/php.ini-production", first: .invalidName, line: "zlib.output_compression = Off", columns: 1..<24,
            codes: [.invalidName]),
        // Directives.
        Refused(
            path: "/etc/mysql/mariadb.cnf", first: .invalidName, line: "!includedir /etc/mysql/conf.d/", columns: 1..<31,
            codes: [.invalidName]),
        // A colon in a section's name.
        Refused(
            path: "/etc/supervisor/supervisord.conf", first: .invalidName, line: "[rpcinterface:supervisor]", columns: 2..<25,
            codes: [.invalidName]),
        // Spaces in keys.
        Refused(
            path: "/usr/share/samba/smb.conf", first: .invalidName, line: "   log file = /var/log/samba/log.%m", columns: 4..<12,
            codes: [.invalidName]),
        Refused(
            path: "/etc/freetds/freetds.conf", first: .invalidName, line: "\ttds version = auto", columns: 2..<13, codes: [.invalidName]),
        // Keys before any section.
        Refused(
            path: "/etc/ssl/openssl.cnf", first: .keyOutsideSection, line: "HOME\t\t\t= .", columns: 1..<5,
            codes: [.keyOutsideSection, .invalidName]),
        // Values that go on over indented lines.
        Refused(
            path: "/etc/fail2ban/jail.conf", first: .invalidName,
            line: #"            %(mta)s-whois[sender="%(sender)s", dest="%(destemail)s", protocol="%(protocol)s", chain="%(chain)s"]"#,
            columns: 13..<33, codes: [.invalidName]),
        // Every header has a space or a slash.
        Refused(
            path: "/usr/share/icons/hicolor/index.theme", first: .invalidName, line: "[Icon Theme]", columns: 2..<12, codes: [.invalidName]),
        Refused(
            path: "/usr/lib/python3/dist-packages/mercurial/defaultrc/mergetools.rc", first: .invalidName,
            line: #"araxis.args=/3 /a2 /wait /merge /title1:"Other" /title2:"Base" /title3:"Local :"$local $other $base $local $output"#,
            columns: 1..<12,
            codes: [.invalidName]),
        // A lone apostrophe as a value.
        Refused(
            path: "/usr/share/mc/skins/double-lines.ini", first: .unterminatedQuote, line: "    sort-up-char = '", columns: 20..<21,
            codes: [.unterminatedQuote]),
        // A key that starts with a digit.
        Refused(
            path: "/usr/share/mc/skins/julia256.ini", first: .invalidName, line: "    256colors = true", columns: 5..<14,
            codes: [.invalidName]),
        Refused(path: "/usr/share/geany/snippets.conf", first: .invalidName, line: "[C++]", columns: 2..<5, codes: [.invalidName]),
        Refused(
            path: "/usr/share/geany/filedefs/filetypes.zephir", first: .invalidName, line: "[styling=HTML]", columns: 2..<14,
            codes: [.invalidName]),
        // Keys that are set several times on purpose.
        Refused(
            path: "/lib/systemd/system/e2scrub_all.service", first: .duplicateKey, line: "ConditionCapability=CAP_SYS_RAWIO",
            columns: 1..<20,
            codes: [.duplicateKey]),
    ]

    static func bytes(_ path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Missing(description: "\(path) is missing: run `make test`, which installs it")
        }
        return Array(data)
    }

    struct Missing: Error, CustomStringConvertible { let description: String }

    @Test("a file in the dialect reads as its lines say", arguments: accepted)
    func reads(file: Accepted) throws {
        let bytes = try Self.bytes(file.path)
        let document = try Document(parsing: bytes, name: file.path)
        let plain = PlainReading(bytes)
        #expect(plain.mistakes == [])
        var found: [[String]] = []
        for section in document.sections {
            for entry in document.entries[section.entries] {
                found.append([section.name, document.key(of: entry), document.text(of: entry)])
            }
        }
        #expect(found == plain.values)
        #expect(document.sections.count == file.sections && document.entries.count == file.entries)
        for (key, value) in file.values {
            let dot = try #require(key.firstIndex(of: "."))
            let entry = try #require(
                document.firstEntry(section: String(key[..<dot]), key: String(key[key.index(after: dot)...])), "\(key)")
            #expect(document.text(of: entry) == value)
        }
    }

    @Test("a file of another dialect is refused at each line that differs, and at no other", arguments: refused)
    func refuses(file: Refused) throws {
        let bytes = try Self.bytes(file.path)
        let problems = problems(bytes)
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let first = try #require(problems.first)
        #expect(first.code == file.first)
        #expect(lines[first.start.line - 1] == file.line)
        #expect(
            first.start.column == file.columns.lowerBound && first.end == Place(line: first.start.line, column: file.columns.upperBound))
        #expect(Set(problems.map(\.code)) == file.codes)
        // As many as one report holds.
        #expect(problems.map { "\($0.code.rawValue) \($0.start.line)" } == Array(PlainReading(bytes).mistakes.prefix(1000)))
        #expect(problems.allSatisfy { $0.start < $0.end && $0.range.start < $0.range.end && Int($0.range.end) <= bytes.count })
    }

    @Test("editing a real file leaves every byte that the edit does not concern", arguments: accepted)
    func edits(file: Accepted) throws {
        let bytes = try Self.bytes(file.path)
        let original = try Document(parsing: bytes, name: file.path)
        #expect(original.bytes == bytes)
        for section in original.sections {
            // Behind `key =` an edit would add a space.
            guard let entry = original.entries[section.entries].first(where: { $0.valueRange.start < $0.valueRange.end }) else { continue }
            var document = original
            try document.set(original.key(of: entry), in: section.name, to: "\"other\\t'value'\"")
            #expect(
                document.bytes == Array(bytes[..<Int(entry.valueRange.start)]) + Array("\"other\\t'value'\"".utf8)
                    + bytes[Int(entry.valueRange.end)...])
            try document.set(original.key(of: entry), in: section.name, to: original.rawText(of: entry))
            #expect(document.bytes == bytes)

            try document.set("plue_added", in: section.name, to: "1")
            #expect(document.entries.count == original.entries.count + 1 && document.bytes.count > bytes.count)
            #expect(try document.remove("plue_added", in: section.name))
            #expect(document.bytes == bytes)

            let end = bytes[Int(entry.valueRange.end)...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
            let start = bytes[..<Int(entry.keyRange.start)].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            #expect(try document.remove(original.key(of: entry), in: section.name))
            #expect(document.bytes == Array(bytes[..<start] + bytes[end...]))
        }
    }

    @Test("what a person has to change in supervisor's file is what the report names; a comment behind a value is a part of it")
    func repaired() throws {
        var text = String(decoding: try Self.bytes("/etc/supervisor/supervisord.conf"), as: UTF8.self)
        text = text.replacing("[rpcinterface:supervisor]", with: "[rpcinterface.supervisor]").replacing(
            "supervisor.rpcinterface_factory", with: "factory")
        let document = try Document(parsing: Array(text.utf8), name: "supervisord.conf")
        let entry = try #require(document.firstEntry(section: "unix_http_server", key: "file"))
        #expect(document.text(of: entry) == "/var/run/supervisor.sock   ; (the path to the socket file)")
    }

    func problems(_ bytes: [UInt8]) -> [SyntaxProblem] {
        do {
            _ = try Document(parsing: bytes, name: "x")
            return []
        } catch { return error.problems }
    }
}

/// What the lines of a file say, read in the slowest and plainest way: without escapes, blocks and lists, which no file of the
/// corpus has.
private struct PlainReading {
    var values: [[String]] = []
    var mistakes: [String] = []

    init(_ bytes: [UInt8]) {
        var section: String?
        var isHeaderRefused = false
        var seen = Set<[String]>()
        for (index, line) in String(decoding: bytes, as: UTF8.self).components(separatedBy: "\n").enumerated() {
            func mistake(_ code: String) -> String { "\(code) \(index + 1)" }
            var line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), let name = line.dropFirst().components(separatedBy: "]").first {
                isHeaderRefused = !name.components(separatedBy: ".").allSatisfy(Self.isName)
                section = isHeaderRefused ? nil : name
                if isHeaderRefused { mistakes.append(mistake("invalid-name")) }
                continue
            }
            // A comment behind a quoted value, as openssl.cnf has one.
            if let match = line.wholeMatch(of: #/(.*= *"[^"]*") +[#;].*/#) { line = String(match.1) }
            let parts = line.components(separatedBy: "=")
            let key = parts[0].trimmingCharacters(in: .whitespaces)
            var value = parts.dropFirst().joined(separator: "=").trimmingCharacters(in: .whitespaces)
            if parts.count == 1 && Self.isName(key) {
                mistakes.append(mistake("missing-equals"))
            } else if !Self.isName(key) {
                mistakes.append(mistake("invalid-name"))
            } else if let quote = value.first, quote == "\"" || quote == "'", value.count == 1 || value.last != quote {
                mistakes.append(mistake("unterminated-quote"))
            } else if let section {
                if let quote = value.first, quote == "\"" || quote == "'" { value = String(value.dropFirst().dropLast()) }
                if seen.insert([section, key]).inserted {
                    values.append([section, key, value])
                } else {
                    mistakes.append(mistake("duplicate-key"))
                }
            } else if !isHeaderRefused {
                mistakes.append(mistake("key-outside-section"))
            }
        }
    }

    private static func isName(_ text: String) -> Bool { text.wholeMatch(of: #/[A-Za-z_][A-Za-z0-9_-]*/#) != nil }
}
