/** null when CHANGELOG.md tells of this version, newest first; else what is missing. */
export function changelogFault(text: string, version: string): string | null {
  const [, newest = '', content = ''] = /^## (.+)\n([^]*?)(?=^## |$(?![^]))/m.exec(text) ?? [];
  if (newest.split(/[ ,(]/)[0] !== version) return `its newest heading is "${newest}" and not "${version}"`;
  return content.includes('\n- ') || content.startsWith('- ') ? null : `it says nothing under "${newest}"`;
}
