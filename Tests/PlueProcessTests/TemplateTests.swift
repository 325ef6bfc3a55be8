import PlueConfig
import Testing

@testable import PlueProcess

@Suite("A template")
struct TemplateTests {
    private let values = TemplateValues(
        [
            "web.host": .string("a.example"), "web.port": .integer(80), "web.gzip": .boolean(true), "web.debug": .boolean(false),
            "web.names": .list([.string("a"), .string("b"), .string("c")]), "web.none": .list([]), "web.motd": .string(""),
            "web.tls.cert": .string("/c.pem"), "web.quote": .string(#"<a href="x">&</a>"#), "site.b.root": .string("/b"),
            "site.a.root": .string("/a"), "site.a.alias": .string("www"),
        ],
        secrets: ["db.password": .string("open sesame"), "db.keys": .list([.string("k1"), .string("k2")])],
        unset: ["web.cdn", "site.b.alias"])

    private func render(_ text: String) throws -> String {
        let rendering = try Template(Array(text.utf8), file: "t").render(values)
        return rendering.content.withExposed { String(decoding: $0, as: UTF8.self) }
    }

    private func problem(_ text: String, at location: SourceLocation = #_sourceLocation) -> String {
        do {
            let text = try render(text)
            Issue.record("rendered as: \(text)", sourceLocation: location)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("values stand where their names stood, as a document would show them, and nothing is escaped")
    func names() throws {
        #expect(try render("listen {{web.host}}:{{ web.port }};") == "listen a.example:80;")
        #expect(try render("{{web.quote}}{{{web.quote}}}{{&web.quote}}") == String(repeating: #"<a href="x">&</a>"#, count: 3))
        #expect(try render("{{web.gzip}} {{web.names}} {{web.tls.cert}}") == "true a, b, c /c.pem")
        #expect(try render("{{db.password}}") == "open sesame")
        #expect(try render("a { b {c} }\n") == "a { b {c} }\n")
    }

    @Test("a section stands there when its setting says so")
    func sections() throws {
        #expect(try render("{{#web.gzip}}on{{/web.gzip}}{{^web.gzip}}off{{/web.gzip}}") == "on")
        #expect(try render("{{#web.debug}}on{{/web.debug}}{{^web.debug}}off{{/web.debug}}") == "off")
        #expect(try render("{{#web.cdn}}cdn{{/web.cdn}}{{^web.cdn}}no{{/web.cdn}}{{#web.motd}}motd{{/web.motd}}") == "no")
        #expect(try render("{{#web.host}}<{{.}}>{{/web.host}}{{#web.none}}x{{/web.none}}") == "<a.example>")
        #expect(try render("{{#web}}{{host}} {{tls.cert}} {{web.port}} {{db.password}}{{/web}}") == "a.example /c.pem 80 open sesame")
    }

    @Test("lists and subsections repeat, and know which they are")
    func repetition() throws {
        #expect(try render("{{#web.names}}{{.}}{{^last()}}, {{/last()}}{{/web.names}};") == "a, b, c;")
        #expect(try render("{{#web.names}}{{index()}}{{#first()}}!{{/first()}}{{/web.names}}") == "0!12")
        #expect(try render("{{#site.*}}{{name()}}={{root}}{{#alias}} {{.}}{{/alias}};{{/site.*}}") == "a=/a www;b=/b;")
        #expect(try render("{{#db.keys}}{{.}} {{/db.keys}}") == "k1 k2 ")
    }

    @Test("a line with nothing but a section's tag leaves no empty line")
    func standaloneLines() throws {
        #expect(try render("a\n  {{#web.gzip}}\n  gzip on;\n  {{/web.gzip}}\nb\n{{! remark\n two }}\nc\n") == "a\n  gzip on;\nb\nc\n")
    }

    @Test("delimiters can be changed for files that are full of braces")
    func delimiters() throws {
        #expect(try render("{{=<% %>=}}{{x}} <%web.port%>\n<%#web.gzip%>y<%/web.gzip%><%={{ }}=%>{{web.port}}") == "{{x}} 80\ny80")
        #expect(problem("{{=<% %>=}}\n<%{web.port}%>") == "t:2: with other delimiters, write the name alone: nothing is escaped")
    }

    @Test("a name that means nothing is an error with its line, all of them at once")
    func missing() {
        let text = "listen {{web.prot}};\n\n{{#web.names}}\n{{nope}}\n{{/web.names}}\n{{#web}}{{tls.prot}}{{/web}}\n"
        #expect(
            problem(text)
                == "t:1: there is no setting or section 'web.prot'; did you mean 'web.port'?; t:4: there is no setting or section 'nope'; "
                + "t:6: there is no setting or section 'tls.prot'")
        #expect(problem("{{#wbe.gzip}}{{/wbe.gzip}}").hasPrefix("t:1: there is no setting or section 'wbe.gzip'"))
        #expect(problem("{{^wbe.gzip}}{{/wbe.gzip}}").hasPrefix("t:1: there is no setting or section 'wbe.gzip'"))
    }

    @Test("a name is not looked for in the sections around when it was found in part: that would be another setting")
    func partlyFound() {
        #expect(problem("{{#web}}{{#tls}}{{tls.port}}{{/tls}}{{/web}}").hasPrefix("t:1: there is no setting or section 'tls.port'"))
    }

    @Test("a setting without a value is an error where its value is wanted")
    func unset() {
        #expect(problem("a\n{{web.cdn}}") == "t:2: 'web.cdn' has no value; give it one, or ask for it with {{#web.cdn}}")
        #expect(problem("{{web}}") == "t:1: 'web' is a section and has no value")
        #expect(problem("{{.}}") == "t:1: '.' is a section and has no value")
        #expect(problem("{{last()}}") == "t:1: last() has a meaning only inside a section that repeats")
    }

    @Test(
        "what is not a template is refused with its line",
        arguments: [
            ("a\n{{web.port", "t:2: a tag is not closed"), ("{{", "t:1: a tag is not closed"),
            ("\n{{#web.gzip}}\n", "t:2: the section 'web.gzip' is not closed"), ("{{/x}}", "t:1: 'x' is closed and was not opened"),
            ("{{#web}}\n{{#web.gzip}}{{/web}}", "t:2: 'web' is closed where 'web.gzip' of line 2 is open"),
            ("\n\n{{> other}}", "t:3: a template is one file: there are no partials and no blocks"),
            ("{{$x}}{{/x}}", "t:1: a template is one file: there are no partials and no blocks"),
            ("{{% CONTENT_TYPE:HTML}}", "t:1: there are no pragmas: nothing is escaped anyway"),
            ("{{upper(web.host)}}", "t:1: there is no function 'upper(web.host)'; there are first(), last(), index(), name()"),
            ("{{}}", "t:1: '' is no name"), ("{{a..b}}", "t:1: 'a..b' is no name"), ("{{web.*}}", "t:1: 'web.*' is no name"),
            ("{{=a b=}}", "t:1: delimiters are two marks such as <% and %>"), ("{{ #web}}", "t:1: '#web' is no name"),
            ("{{#web}}{{=<% %>=}}{{/web}}", "t:1: delimiters change outside of sections only"),
            (String(repeating: "{{#web}}", count: 40), "t:1: sections nest more than 32 deep"),
        ])
    func refused(_ text: String, _ expected: String) {
        #expect(problem(text) == expected)
    }

    @Test("bytes that are not text, and texts beyond any size, are refused")
    func limits() throws {
        #expect(throws: TemplateProblem.self) { try Template([0x7B, 0xFF], file: "t") }
        let items = PlainValue.list((0..<1_100).map { .integer($0) })
        let many = TemplateValues(["a.x": items])
        let nested = try Template(Array("{{#a.x}}{{#a.x}}{{.}}{{/a.x}}{{/a.x}}".utf8), file: "t")
        let problem = #expect(throws: TemplateProblem.self) { try nested.render(many) }
        #expect(problem?.description == "t:1: the template asks for more than 1000000 values")
        let long = TemplateValues(["a.x": .string(String(repeating: "x", count: 1 << 20))])
        let large = try Template(Array(String(repeating: "{{a.x}}", count: 17).utf8), file: "t")
        #expect(throws: TemplateProblem.self) { try large.render(long) }
    }

    @Test("any bytes are a template or a problem with a line")
    func hostileInput() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "{{", "}}", "{", "}", "#", "^", "/", "&", "!", "=", "<% %>", "<%", "%>", "web.port", "web.names", ".", " ", "\n", "\r\n", "ä",
            "\u{301}",
        ]
        for _ in 0..<3_000 {
            let text = (0..<Int.random(in: 0..<12)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            do {
                let rendered = try render(text)
                // A tag that the library did not see as one would be left standing with its number.
                #expect(!rendered.contains("{{&"), "\(text.debugDescription) became \(rendered)")
            } catch let problem as TemplateProblem {
                #expect(problem.places.allSatisfy { $0.line >= 1 && $0.line <= 13 }, "\(text.debugDescription): \(problem)")
            } catch {
                Issue.record("\(error) for \(text.debugDescription)")
            }
        }
    }

    @Test("values are the same when every setting is, secrets under their cover included")
    func equality() {
        let one = TemplateValues(["a.x": .integer(1)], secrets: ["a.s": .string("p")], unset: ["a.u"])
        #expect(one == TemplateValues(["a.x": .integer(1)], secrets: ["a.s": .string("p")], unset: ["a.u"]))
        #expect(one != TemplateValues(["a.x": .integer(2)], secrets: ["a.s": .string("p")], unset: ["a.u"]))
        #expect(one != TemplateValues(["a.x": .integer(1)], secrets: ["a.s": .string("q")], unset: ["a.u"]))
        #expect(one != TemplateValues(["a.x": .integer(1), "a.u": .integer(1)], secrets: ["a.s": .string("p")]))
        #expect(one != TemplateValues(["a.x": .integer(1)], secrets: ["a.s": .string("p")]))
    }

    @Test("nothing that is printed of a rendering shows a secret")
    func cover() throws {
        let rendering = try Template(Array("{{db.password}}".utf8), file: "t").render(values)
        var dumped = ""
        dump(rendering, to: &dumped)
        dump(values, to: &dumped)
        #expect(!"\(rendering) \(values) \(dumped)".contains("sesame"))
    }
}

@Suite("What other programs say")
struct RedactionTests {
    private let redaction = Redaction([Secret("open sesame"), Secret("x1")])

    @Test("no four bytes in a row of a secret are shown, and of a shorter one nothing")
    func redacts() {
        #expect(redaction("password open sesame; no") == "password <secret>; no")
        #expect(redaction("bad token \"sesa") == "bad token \"<secret>")
        #expect(redaction("x1x1 xx1") == "<secret> x<secret>")
        #expect(redaction("nothing to see") == "nothing to see")
        #expect(redaction("") == "")
        #expect(Redaction()("open sesame") == "open sesame")
    }

    @Test("only the last lines become part of a sentence, without secrets also where they are cut")
    func lastLines() {
        var output = CommandOutput()
        output.append(Array("first\n\n  second  \nthe open sesame line\n".utf8))
        #expect(output.lastLines(redaction) == "first; second; the <secret> line")
        #expect(output.lastLines(redaction, limit: 20) == "the <secret> line")
        #expect(output.lastLines(redaction, limit: 9) == "ret> line")
        #expect(CommandOutput().lastLines(redaction) == "")
    }

    @Test("of more than can be kept, the beginning and the end are")
    func bounded() {
        var output = CommandOutput()
        output.append(Array("start ".utf8))
        for _ in 0..<1_000 { output.append([UInt8](repeating: UInt8(ascii: "-"), count: 999)) }
        output.append(Array(" end".utf8))
        let text = output.text
        #expect(text.hasPrefix("start ---") && text.hasSuffix("--- end"))
        #expect(text.contains("bytes left out"))
        #expect(text.utf8.count <= 2 * CommandOutput.half + 100)
    }
}
