import Testing

@testable import PlueConfig

@Suite("Diagnostics as JSON and SARIF")
struct DiagnosticReportTests {
    private let full = Diagnostic(
        "range", key: SettingKey("server.port"),
        at: Location(file: "config/production.ini", line: 4, column: 8, endLine: 4, endColumn: 13, excerpt: "port = 99999"),
        "server.port is 99999, but must be between 1 and 65535", label: "expected 1...65535", expected: "1...65535", found: "99999",
        hint: "pick one",
        related: [.init("overrides 8080 from", at: Location(file: "/etc/plue/my base.ini", line: 3, column: 8, endLine: 3, endColumn: 12))])
    private let bare = Diagnostic("deprecated", severity: .warning, "old")

    @Test("A JSON report has every field there is, and leaves out what is not")
    func json() {
        #expect(
            DiagnosticJSON.report([full, bare]).text() == """
                {"valid":false,"diagnostics":[{"code":"range","severity":"error","key":"server.port","pointer":"/server/port",\
                "file":"config/production.ini","line":4,"column":8,"endLine":4,"endColumn":13,\
                "message":"server.port is 99999, but must be between 1 and 65535","expected":"1...65535","found":"99999","hint":"pick one",\
                "related":[{"message":"overrides 8080 from","file":"/etc/plue/my base.ini","line":3,"column":8,"endLine":3,"endColumn":12}]},\
                {"code":"deprecated","severity":"warning","message":"old","related":[]}]}
                """)
    }

    @Test("Warnings alone are valid")
    func validity() {
        #expect(DiagnosticJSON.report([bare]).text().hasPrefix(#"{"valid":true,"#))
        #expect(DiagnosticJSON.report([]).text() == #"{"valid":true,"diagnostics":[]}"#)
    }

    @Test("A SARIF log has its rules, regions and related places")
    func sarif() {
        #expect(
            DiagnosticSARIF.report([full, bare, full]).text(indented: true).hasPrefix(
                """
                {
                  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
                  "version": "2.1.0",
                  "runs": [
                    {
                      "tool": {
                        "driver": {
                          "name": "plue",
                          "rules": [
                            {
                              "id": "range"
                            },
                            {
                              "id": "deprecated"
                            }
                          ]
                        }
                      },
                      "columnKind": "unicodeCodePoints",
                      "results": [
                        {
                          "ruleId": "range",
                          "ruleIndex": 0,
                          "level": "error",
                          "message": {
                            "text": "server.port is 99999, but must be between 1 and 65535; pick one"
                          },
                          "locations": [
                            {
                              "physicalLocation": {
                                "artifactLocation": {
                                  "uri": "config/production.ini"
                                },
                                "region": {
                                  "startLine": 4,
                                  "startColumn": 8,
                                  "endLine": 4,
                                  "endColumn": 13,
                                  "snippet": {
                                    "text": "port = 99999"
                                  }
                                }
                              },
                              "logicalLocations": [
                                {
                                  "fullyQualifiedName": "server.port",
                                  "kind": "member"
                                }
                              ]
                            }
                          ],
                          "relatedLocations": [
                            {
                              "physicalLocation": {
                                "artifactLocation": {
                                  "uri": "file:///etc/plue/my%20base.ini"
                                },
                """))
    }

    @Test("A variable is a logical place in SARIF and a file without lines in JSON")
    func variables() {
        let diagnostic = Diagnostic("type", at: Location(file: "$PLUE__A__B", line: 1, column: 1, endLine: 1, endColumn: 1), "m")
        #expect(
            DiagnosticJSON.value(diagnostic).text()
                == #"{"code":"type","severity":"error","file":"$PLUE__A__B","message":"m","related":[]}"#)
        #expect(DiagnosticSARIF.report([diagnostic]).text().contains(##""locations":[{"logicalLocations":[{"name":"$PLUE__A__B"}]}]"##))
    }
}
